import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { setStage } from './stage.ts';
import { startToxiproxy, type Toxiproxy } from './toxiproxy.ts';
import { TROUBLES } from './troubles.ts';

/** Longer than any command may take, so that every time-out of ours fires. */
const FAULT_MS = 5_000;

let redis: RedisServer;
let toxiproxy: Toxiproxy;
beforeAll(async () => {
  redis = await startRedis();
  toxiproxy = await startToxiproxy();
});
afterAll(async () => {
  await toxiproxy?.stop();
  await redis?.stop();
});

describe('between the service and Redis', () => {
  test.concurrent.each(TROUBLES)(
    '$name: what was answered 2xx is kept, and every run ends right',
    async ({ toxics, isOutage }) => {
      const proxy = await toxiproxy.open(redis.port);
      const stage = await setStage({ settings: { DAGAIN_REDIS_URL: `redis://127.0.0.1:${proxy.port}` } });
      try {
        await stage.start();
        // Some are in the middle of it when it begins, the others begin in it.
        stage.trigger('before');
        await pause(300);
        await (toxics === null ? proxy.cut() : proxy.poison(toxics));
        stage.trigger('during');
        await pause(FAULT_MS);
        await proxy.heal();
        await stage.endsWell();
        const refused = stage.answered.filter(({ status }) => status !== 202);
        for (const answer of refused) expect(answer).toEqual({ status: 503, retryAfter: '1' });
        if (isOutage) expect(refused.length).toBeGreaterThan(0);
      } finally {
        await stage.close();
        await proxy.close();
      }
    },
  );
});
