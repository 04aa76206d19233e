import type { IncomingMessage, ServerResponse } from 'node:http';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Serves `app` under the path of `publicUrl` as well as without it, because some proxies pass a prefix on and some strip it.
 */
export function underPrefix(app: Handler, publicUrl: string | null): Handler {
  const prefix = publicUrl === null ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '');
  if (prefix === '') return app;
  return (request, response) => {
    const url = request.url ?? '/';
    if (url === prefix || url.startsWith(`${prefix}?`)) {
      // Relative links of the page would lead above the prefix without the slash.
      response.writeHead(308, { Location: `${prefix}/${url.slice(prefix.length)}`, 'Content-Length': 0 }).end();
      return;
    }
    if (url.startsWith(`${prefix}/`)) request.url = url.slice(prefix.length);
    app(request, response);
  };
}
