import type { IncomingMessage } from 'node:http';
import { HttpProblem } from './problems.ts';

/** What is asked by machines that know the service by its address only, and tells nothing of a run. */
const OPEN_TO_ALL = new Set(['/livez', '/readyz', '/metrics']);

/**
 * Lets requests pass whose Host is loopback or one of `names`. Where nobody needs a token, a page elsewhere could let a
 * name of its own lead to this machine, and act through the browser of whoever reads it.
 * @throws HttpProblem `host_not_allowed`
 */
export function createHostCheck(names: readonly string[]): (request: IncomingMessage) => void {
  const known = new Set(names.map((name) => name.toLowerCase()));
  return ({ url = '', headers: { host = '' } }) => {
    if (OPEN_TO_ALL.has(url.replace(/\?.*$/s, ''))) return;
    // The port says nothing about whose name it is.
    const name = host.replace(/:\d*$/, '').toLowerCase();
    if (isLoopback(name) || known.has(name)) return;
    throw new HttpProblem(
      'host_not_allowed',
      'While no token is set, only requests to localhost, 127.0.0.1, [::1] and the host of DAGAIN_PUBLIC_URL are taken: ' +
        'set DAGAIN_OPERATOR_TOKEN and DAGAIN_CALLBACK_TOKEN, or set DAGAIN_PUBLIC_URL to the address that you use',
    );
  };
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);
}
