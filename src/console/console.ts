import type { Request, Response } from 'express';
import { HttpProblem } from '../http/problems.ts';
import type { Route } from '../http/route.ts';
import { type Assets, readAssets } from './assets.ts';
import { PAGE_HEADERS, pageHtml } from './page.ts';

/** Where the page can be opened; its own modules decide what to show there. */
const PAGES = ['/', '/runs', '/runs/:dag_id/:dag_run_id', '/dags', '/events'];

export interface Console {
  readonly routes: readonly Route[];
  /** The page's own words for an address that leads nowhere. */
  readonly missing: Route['handle'];
}

/**
 * The operators' page. It is open to everybody, because it holds nothing: all that it shows it asks the API for, with the
 * token that its reader types in.
 */
export function createConsole(): Console {
  let read: Assets | null = null;
  // Not before somebody looks: most replicas never serve a page.
  const assets = () => {
    read ??= readAssets();
    return read;
  };
  const show: Route['handle'] = (request, response) => {
    send(response, PAGE_HEADERS, Buffer.from(pageHtml(assets(), depthOf(request.path))));
  };
  const pages = PAGES.map((path): Route => ({ method: 'get', path, access: 'open', handle: show }));
  return {
    routes: [
      ...pages,
      {
        method: 'get',
        path: '/assets/:build/*file',
        access: 'open',
        handle: (request, response) => sendAsset(assets(), request, response),
      },
    ],
    missing(request, response) {
      response.statusCode = 404;
      show(request, response);
    },
  };
}

/** As a browser counts it, to which a slash at the end begins one more segment. */
function depthOf(path: string): number {
  return path.split('/').length - 2;
}

function sendAsset({ build, files }: Assets, request: Request, response: Response): void {
  const { build: asked, file } = request.params;
  const name = Array.isArray(file) ? file.join('/') : String(file);
  const asset = files.get(name);
  if (asset === undefined) throw new HttpProblem('not_found', 'The page has no such file');
  // While replicas are replaced, one may be asked for what another one's page names: nobody must keep that.
  const isKept = asked === build;
  const headers = {
    'Content-Type': asset.type,
    'Cache-Control': isKept ? 'public, max-age=31536000, immutable' : 'no-store',
  };
  send(response, headers, asset.body);
}

function send(response: Response, headers: Readonly<Record<string, string>>, body: Buffer): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Content-Length', body.length);
  response.end(body);
}
