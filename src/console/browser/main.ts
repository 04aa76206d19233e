import { h, render } from 'preact';
import { type ApiError, createApi } from './api.ts';
import { App } from './app.ts';
import { createLive } from './live.ts';
import { createRouter } from './router.ts';
import { createSession } from './session.ts';

const root = document.baseURI;
const session = createSession({ tab: sessionStorage, lasting: localStorage });
const unauthorized = new EventTarget();
const api = createApi({
  fetch: (input, init) => fetch(input, init),
  root,
  session,
  onUnauthorized: (problem: ApiError) =>
    unauthorized.dispatchEvent(new CustomEvent('refused', { detail: problem.message })),
});
const live = createLive(api, document);
const router = createRouter(window, root);

const place = document.getElementById('app');
if (place !== null) render(h(App, { api, live, router, session, unauthorized }), place);
