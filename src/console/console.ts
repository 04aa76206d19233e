import type { Request, Response } from 'express';
import { HttpProblem } from '../http/problems.ts';
import type { Route } from '../http/route.ts';
import { type Assets, readAssets } from './assets.ts';
import { PAGE_HEADERS, pageHtml } from './page.ts';

/** Where the page can be opened; its own modules decide what to show there. */
const PAGES: readonly { readonly path: string; readonly depth: number }[] = [
  { path: '/', depth: 0 },
  { path: '/runs', depth: 0 },
  { path: '/runs/:dag_id/:dag_run_id', depth: 2 },
  { path: '/dags', depth: 0 },
  { path: '/events', depth: 0 },
];

/**
 * The operators' page. It is open to everybody, because it holds nothing: all that it shows it asks the API for, with the
 * token that its reader types in.
 */
export function consoleRoutes(): Route[] {
  let read: Assets | null = null;
  // Not before somebody looks: most replicas never serve a page.
  const assets = () => {
    read ??= readAssets();
    return read;
  };
  const pages = PAGES.map(
    ({ path, depth }): Route => ({
      method: 'get',
      path,
      access: 'open',
      handle: (_request, response) => send(response, PAGE_HEADERS, Buffer.from(pageHtml(assets(), depth))),
    }),
  );
  return [
    ...pages,
    {
      method: 'get',
      path: '/assets/:build/*file',
      access: 'open',
      handle: (request, response) => sendAsset(assets(), request, response),
    },
  ];
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
