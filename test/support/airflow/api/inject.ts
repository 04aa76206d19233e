import type { Timers } from '../../timers.ts';
import type { FaultAction, When } from './faults.ts';
import { type AirflowRequest, type AirflowResponse, ConnectionResetError, html, json } from './messages.ts';

const MEGABYTE = 1_048_576;

/** Carries out `action` around `serve`. Delays pass on the model's own timers, so that they cost virtual time only. */
export async function inject(
  action: FaultAction,
  request: AirflowRequest,
  timers: Timers,
  serve: () => AirflowResponse,
): Promise<AirflowResponse> {
  const isAfter = (action.when ?? defaultWhen(action)) === 'after';
  const served = isAfter ? serve() : null;
  switch (action.type) {
    case 'delay':
      await new Promise<void>((resolve) => timers.schedule(action.delayMs, resolve));
      return served ?? serve();
    case 'hang':
      return hang(request.signal);
    case 'reset':
      throw new ConnectionResetError();
    case 'status': {
      const headers = action.retryAfter === undefined ? {} : { 'retry-after': action.retryAfter };
      const body = action.body ?? `<html><body><h1>${action.status}</h1></body></html>`;
      return { status: action.status, headers: { 'content-type': 'text/html', ...headers }, body };
    }
    case 'html':
      return html(200, '<!doctype html><html><body>Please log in to continue.</body></html>');
    case 'redirect':
      return { status: action.status ?? 302, headers: { location: action.location }, body: '' };
    case 'truncated': {
      const whole = served ?? serve();
      return { ...whole, body: whole.body.slice(0, Math.floor(whole.body.length / 2)) };
    }
    case 'empty':
      return { status: 200, headers: { 'content-type': 'application/json' }, body: '' };
    case 'enormous':
      return json(200, { padding: 'x'.repeat(action.bytes ?? 16 * MEGABYTE) });
  }
}

/** A truncated answer belongs to a request that was carried out; the rest comes from something in front of Airflow. */
function defaultWhen(action: FaultAction): When {
  return action.type === 'truncated' ? 'after' : 'before';
}

function hang(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(new ConnectionResetError()), { once: true });
  });
}
