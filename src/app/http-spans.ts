import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { z } from 'zod';
import { nowMs, type RecordedSpan, type SpanRecorder } from './span-tree.ts';

const Target = z.object({ method: z.string(), origin: z.coerce.string() });
const Created = z.object({ request: Target });
const Answered = z.object({ response: z.object({ statusCode: z.int() }) });
const OfRequest = z.object({ request: z.custom<object>((value) => typeof value === 'object' && value !== null) });

/**
 * Spans of the HTTP requests that undici sends within a span that is under way. They tell where a request went, but no
 * path and no header: a webhook's path is its secret.
 */
export function recordHttpRequests(recorder: Pick<SpanRecorder, 'child'>): () => void {
  const spans = new WeakMap<object, RecordedSpan>();

  function spanOf(message: unknown): RecordedSpan | undefined {
    const parsed = OfRequest.safeParse(message);
    return parsed.success ? spans.get(parsed.data.request) : undefined;
  }

  function created(message: unknown): void {
    const parsed = Created.safeParse(message);
    const of = OfRequest.safeParse(message);
    if (!parsed.success || !of.success) return;
    const { method } = parsed.data.request;
    const url = URL.parse(parsed.data.request.origin);
    const span = recorder.child(method, {
      'http.request.method': method,
      'server.address': url?.hostname ?? null,
      'server.port': url === null ? null : portOf(url),
    });
    if (span !== null) spans.set(of.data.request, span);
  }

  function answered(message: unknown): void {
    const span = spanOf(message);
    const parsed = Answered.safeParse(message);
    if (span === undefined || !parsed.success) return;
    const { statusCode } = parsed.data.response;
    span.fields['http.response.status_code'] = statusCode;
    if (statusCode >= 400) span.failure = String(statusCode);
  }

  function ended(message: unknown): void {
    const span = spanOf(message);
    if (span !== undefined) span.endMs = nowMs();
  }

  function failed(message: unknown): void {
    const span = spanOf(message);
    if (span === undefined) return;
    span.endMs = nowMs();
    span.failure = 'no_answer';
  }

  const listeners = [
    ['undici:request:create', created],
    ['undici:request:headers', answered],
    ['undici:request:trailers', ended],
    ['undici:request:error', failed],
  ] as const;
  for (const [name, listener] of listeners) subscribe(name, listener);
  return () => {
    for (const [name, listener] of listeners) unsubscribe(name, listener);
  };
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
