import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, inject, test } from 'vitest';
import { createSeededRandom } from '../support/airflow/model/seeded-random.ts';
import { createStopper } from './crash-point.ts';
import { createLife, RUN } from './life.ts';

const redisPort = Number(new URL(inject('redisUrl')).port);
const SEEDS = [1, 2, 3, 4, 5];
const KILLS = 3;
/** A process needs about half of it to start, and a life takes the rest. */
const LIFE_MS = 1_500;

describe.each(['sqlite', 'redis'] as const)('killed again and again on %s, at any time', (store) => {
  test.concurrent.each(SEEDS)('by seed %i: one clear, one give-up, alerted', async (seed) => {
    const random = createSeededRandom(seed);
    const life = await createLife({ store, ending: 'gives up', redisPort, stopper: createStopper(null) });
    try {
      await life.begin();
      for (let kills = 0; kills < KILLS; kills += 1) {
        await pause(random() * LIFE_MS);
        await life.kill();
        life.restart();
      }
      await life.ended();
      expect(life.model.clearsOf(RUN)).toMatchObject([{ stateBefore: 'failed', restartedRunning: false }]);
      expect(new Set(life.alerts.map((alert) => alert.dedupe_key)).size).toBe(1);
      expect(await life.kept()).toMatchObject([{ phase: 'gave_up', retries_used: 1, pending_alerts: 0 }]);
    } finally {
      await life.close();
    }
  });
});
