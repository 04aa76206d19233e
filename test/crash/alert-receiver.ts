import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { z } from 'zod';

const Alert = z.looseObject({ type: z.string(), dedupe_key: z.string(), dag_id: z.string(), dag_run_id: z.string() });
export type Alert = z.infer<typeof Alert>;

/** Takes every alert. */
export interface AlertReceiver {
  readonly url: string;
  readonly accepted: readonly Alert[];
  close(): Promise<void>;
}

export async function startAlertReceiver(): Promise<AlertReceiver> {
  const accepted: Alert[] = [];
  const server = createServer(async (request, response) => {
    accepted.push(Alert.parse(await json(request)));
    response.writeHead(204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    accepted,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
