import type { Assets } from './assets.ts';

/**
 * The page's frame; everything else is made by its modules. `depth` is how many segments its own path has after the first
 * one: all links are relative to the root that follows from it, so that a proxy may put any prefix before them.
 */
export function pageHtml({ build, files }: Assets, depth: number): string {
  const root = '../'.repeat(depth) || './';
  const at = (name: string) => `assets/${build}/${name}`;
  const names = [...files.keys()];
  const styles = names.filter((name) => name.endsWith('.css'));
  const modules = names.filter((name) => name.endsWith('.js'));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<base href="${root}">
<title>dagain</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(ICON)}">
${styles.map((name) => `<link rel="stylesheet" href="${at(name)}">`).join('\n')}
${modules.map((name) => `<link rel="modulepreload" href="${at(name)}">`).join('\n')}
<script type="module" src="${at('main.js')}"></script>
</head>
<body>
<div id="app"></div>
<noscript>This page needs JavaScript. Everything it shows is also in the API (openapi.json) and the command line.</noscript>
</body>
</html>
`;
}

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M13.5 8a5.5 5.5 0 1 1-1.7-4M12 .8V4.2H8.6" ' +
  'fill="none" stroke="#0b6e4f" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>';

/** Nothing but the service's own files is loaded or asked; no text can become code or markup, nothing frames the page. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-cache',
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'self'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
};
