import { Dispatcher } from 'undici';
import type { AirflowApi } from './api/api.ts';
import type { AirflowRequest, AirflowResponse } from './api/messages.ts';

/** Lets undici's `request` reach the API in this process, so that the real client can run without sockets. */
export function createAirflowDispatcher(api: Pick<AirflowApi, 'handle'>): Dispatcher {
  return new AirflowDispatcher(api);
}

class AirflowDispatcher extends Dispatcher {
  readonly #api: Pick<AirflowApi, 'handle'>;

  constructor(api: Pick<AirflowApi, 'handle'>) {
    super();
    this.#api = api;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const aborting = new AbortController();
    const controller = createController(aborting, (reason) => handler.onResponseError?.(controller, reason));
    handler.onRequestStart?.(controller, {});
    if (controller.aborted) return true;
    void this.#api.handle(toRequest(options, aborting.signal)).then(
      (response) => {
        if (!controller.aborted) answer(handler, controller, response);
      },
      (error: unknown) => {
        if (controller.aborted) return;
        handler.onResponseError?.(controller, error instanceof Error ? error : new Error(String(error)));
      },
    );
    return true;
  }
}

function createController(aborting: AbortController, onAbort: (reason: Error) => void): Dispatcher.DispatchController {
  let reason: Error | null = null;
  return {
    get aborted() {
      return reason !== null;
    },
    paused: false,
    get reason() {
      return reason;
    },
    abort(why) {
      if (reason !== null) return;
      reason = why;
      aborting.abort(why);
      onAbort(why);
    },
    // Answers come in one piece.
    pause() {},
    resume() {},
  };
}

function answer(
  handler: Dispatcher.DispatchHandler,
  controller: Dispatcher.DispatchController,
  { status, headers, body }: AirflowResponse,
): void {
  handler.onResponseStart?.(controller, status, { ...headers });
  if (!controller.aborted) handler.onResponseData?.(controller, Buffer.from(body));
  if (!controller.aborted) handler.onResponseEnd?.(controller, {});
}

function toRequest(options: Dispatcher.DispatchOptions, signal: AbortSignal): AirflowRequest {
  const { body = null, headers = null, method, path } = options;
  if (body !== null && typeof body !== 'string') throw new TypeError('only bodies of text are taken');
  return { method, path, headers: toHeaders(headers), body: body ?? '', signal };
}

function toHeaders(headers: Dispatcher.DispatchOptions['headers']): Record<string, string> {
  if (headers === null || headers === undefined) return {};
  if (Array.isArray(headers) || Symbol.iterator in headers) throw new TypeError('only an object of headers is taken');
  const entries = Object.entries(headers).filter((entry) => entry[1] !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), String(value)]));
}
