import { once } from 'node:events';
import { createServer } from 'node:http';
import { z } from 'zod';

const Received = z.object({
  dedupe_key: z.string(),
  mode: z.enum(['active', 'shadow']),
  summary: z.string(),
  type: z.string(),
  dag_id: z.string(),
  dag_run_id: z.string(),
  reason: z.string(),
  retries_used: z.int(),
  max_retries: z.int(),
  run_url: z.string().nullable(),
  failures: z.array(
    z.object({ task_id: z.string().nullable(), exception: z.string().nullable(), failure_class: z.string() }),
  ),
});
export type Received = z.infer<typeof Received>;

/** Takes webhook alerts; refuses the first one, so that every test shows that alerts are sent until accepted. */
export interface AlertReceiver {
  readonly url: string;
  readonly refused: readonly Received[];
  readonly accepted: readonly Received[];
  close(): Promise<void>;
}

export async function startAlertReceiver(): Promise<AlertReceiver> {
  const refused: Received[] = [];
  const accepted: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const received = Received.parse(JSON.parse(Buffer.concat(chunks).toString()));
    const isFirst = ![...refused, ...accepted].some((one) => one.dedupe_key === received.dedupe_key);
    (isFirst ? refused : accepted).push(received);
    response.writeHead(isFirst ? 503 : 204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
  return {
    url: `http://127.0.0.1:${address.port}/alerts`,
    refused,
    accepted,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
