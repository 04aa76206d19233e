import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '@keyv/redis';
import { z } from 'zod';
import { freePort } from '../support/free-port.ts';

const Address = z.tuple([z.string(), z.string().transform(Number)]);

/** A Redis Sentinel, alone in its quorum, that watches one primary. */
export interface Sentinel {
  /** The port of the primary that it has promoted in place of the first. */
  promoted(): Promise<number>;
  stop(): Promise<void>;
}

export async function startSentinel(primaryPort: number): Promise<Sentinel> {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-sentinel-'));
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  writeFileSync(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor primary 127.0.0.1 ${primaryPort} 1`,
      'sentinel down-after-milliseconds primary 500',
      'sentinel failover-timeout primary 2000',
    ].join('\n'),
  );
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
  const client = createClient({ url: `redis://127.0.0.1:${port}` }).on('error', () => {});
  await client.connect();
  /** Asks until `isKnown`, ten seconds at most. */
  async function until<T>(ask: () => Promise<T>, isKnown: (answer: T) => boolean): Promise<T> {
    const giveUpAtMs = Date.now() + 10_000;
    for (;;) {
      const answer = await ask();
      if (isKnown(answer)) return answer;
      if (Date.now() > giveUpAtMs) throw new Error('Sentinel did not do it in ten seconds');
      await pause(50);
    }
  }
  const replicas = async () =>
    z.array(z.unknown()).parse(await client.sendCommand(['SENTINEL', 'REPLICAS', 'primary']));
  await until(replicas, (known) => known.length === 1);
  return {
    async promoted() {
      const ask = async () =>
        Address.parse(await client.sendCommand(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'primary']));
      const [, promotedPort] = await until(ask, ([, port]) => port !== primaryPort);
      return promotedPort;
    },
    async stop() {
      client.destroy();
      child.kill('SIGKILL');
      await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
