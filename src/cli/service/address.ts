import { readFileSync } from 'node:fs';
import { withoutServiceLinks } from '../../config/service-links.ts';
import type { Variables } from '../../config/setting.ts';
import { CommandError } from '../command.ts';

/** Where the service is, and how it is spoken to. */
export interface ServiceAddress {
  /** Without a slash at the end. */
  readonly url: string;
  /** What says so, for people who have to change it. */
  readonly source: string;
  readonly token: string | null;
}

const DEFAULT_PORT = '8484';

/** @throws CommandError when the address is none, or the file of the token cannot be read */
export function addressFrom(variables: Variables, urlOption: string | undefined): ServiceAddress {
  const port = withoutServiceLinks(variables)['DAGAIN_PORT'] || DEFAULT_PORT;
  const [source, text] = urlOption
    ? ['--url', urlOption]
    : variables['DAGAIN_URL']
      ? ['DAGAIN_URL', variables['DAGAIN_URL']]
      : ['the default; DAGAIN_URL is not set', `http://127.0.0.1:${checkedPort(port)}`];
  return { url: checkedUrl(text, source), source, token: tokenFrom(variables) };
}

function checkedPort(port: string): string {
  if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) return port;
  throw new CommandError(2, `DAGAIN_PORT must be a port number, is ${JSON.stringify(port)}; or set DAGAIN_URL`);
}

function checkedUrl(text: string, source: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isHttp = url !== null && /^https?:$/.test(url.protocol);
  if (!isHttp) throw new CommandError(2, `${source} must be an address such as http://dagain:8484`);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new CommandError(2, `${source} must hold no user, password, query or fragment`);
  }
  return url.href.replace(/\/+$/, '');
}

/** The first of two: the second one is what a rotation leaves valid for a while. */
function tokenFrom(variables: Variables): string | null {
  const file = variables['DAGAIN_OPERATOR_TOKEN_FILE'];
  const text = variables['DAGAIN_OPERATOR_TOKEN'] || (file ? readToken(file) : '');
  const token = text.split(',')[0]?.trim() || null;
  // What no header can hold would be shown by the error that says so.
  if (token !== null && !/^[\x21-\x7e]+$/.test(token)) {
    throw new CommandError(2, 'DAGAIN_OPERATOR_TOKEN must hold no blanks, control characters or letters beyond ASCII');
  }
  return token;
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(2, `DAGAIN_OPERATOR_TOKEN_FILE names ${file}, which cannot be read`, { cause: error });
  }
}
