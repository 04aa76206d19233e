import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setStage } from './stage.ts';
import { startToxiproxy, type ToxicLink, type Toxiproxy } from './toxiproxy.ts';
import { TROUBLES } from './troubles.ts';
import { until } from './until.ts';

const FAULT_MS = 4_000;

let toxiproxy: Toxiproxy;
beforeAll(async () => {
  toxiproxy = await startToxiproxy();
});
afterAll(() => toxiproxy?.stop());

async function openStage() {
  let proxy: ToxicLink | null = null;
  const stage = await setStage({
    async wayToAirflow(port) {
      proxy = await toxiproxy.open(port);
      return proxy.port;
    },
  });
  if (proxy === null) throw new Error('there is no way to Airflow');
  await stage.start();
  return { stage, proxy: proxy as ToxicLink };
}

describe('between the service and Airflow', () => {
  test.concurrent.each(TROUBLES)('$name: every callback is taken, and every run ends right', async ({ toxics }) => {
    const { stage, proxy } = await openStage();
    try {
      stage.trigger('before');
      await pause(300);
      await (toxics === null ? proxy.cut() : proxy.poison(toxics));
      stage.trigger('during');
      await pause(FAULT_MS);
      await proxy.heal();
      await stage.endsWell();
      expect(stage.answered.filter(({ status }) => status !== 202)).toEqual([]);
    } finally {
      await stage.close();
    }
  });
});

/** Troubles that take the answer of a request which arrived. */
const LOSING = TROUBLES.filter(
  ({ toxics }) =>
    toxics === null || toxics.some(({ type, stream }) => stream === 'downstream' && type !== 'limit_data'),
);

describe('the answer of a clear is lost', () => {
  test.concurrent.each(LOSING)('$name: it is not sent again before the run was read', async ({ toxics }) => {
    const { stage, proxy } = await openStage();
    try {
      // Airflow carries the first clear out at once, and takes its time to answer.
      stage.airflow.faults.add({ route: 'clear', action: { type: 'delay', delayMs: 700, when: 'after' } });
      stage.trigger('run');
      await until(
        () => stage.airflow.requests.count('clear'),
        (count) => count > 0,
      );
      await (toxics === null ? proxy.cut() : proxy.poison(toxics));
      await pause(1_500);
      await proxy.heal();
      await stage.endsWell();
    } finally {
      await stage.close();
    }
  });
});
