import { createHmac } from 'node:crypto';
import { NOW_MS } from './serve.ts';

export interface Signing {
  readonly key: string | Uint8Array;
  readonly id?: string;
  /** Epoch seconds. */
  readonly timestamp?: number | string;
}

/** The value of `webhook-signature`, made independently of the code under test. */
export function signatureOf(body: string, { key, id = 'msg_1', timestamp = NOW_MS / 1_000 }: Signing): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`, 'utf8').digest('base64')}`;
}

/** All headers of a signed request. */
export function signed(body: string, signing: Signing): Record<string, string> {
  const { id = 'msg_1', timestamp = NOW_MS / 1_000 } = signing;
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatureOf(body, { ...signing, id, timestamp }),
  };
}
