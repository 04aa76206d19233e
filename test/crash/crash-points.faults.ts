import { afterAll, describe, expect, inject, test } from 'vitest';
import { type CrashPoint, createStopper } from './crash-point.ts';
import { createLife, type Ending, RUN, type StoreName } from './life.ts';

const redisPort = Number(new URL(inject('redisUrl')).port);
const CASES = [
  ['sqlite', 'gives up'],
  ['sqlite', 'recovers'],
  ['redis', 'gives up'],
  ['redis', 'recovers'],
] as const;
const WEEK_MS = 7 * 24 * 3_600_000;

/** One line for each point: what the Airflow and the receiver saw in the end. */
const table: string[] = [];

/** Steps that change nothing on the other side. */
const READS = /^Airflow: (?!clear)/;
const MOMENTS = { sqlite: ['before', 'unread', 'unstored'], redis: ['before', 'unread'] } as const;

/**
 * Killed anywhere between two steps that change something, the service leaves the same behind: of the reads in a row only
 * the last one counts, with what it told not stored. In Redis that is a swap that was not sent.
 */
function momentsOf(store: StoreName, step: string, following: string): readonly CrashPoint['when'][] {
  if (!READS.test(step)) return MOMENTS[store];
  return store === 'redis' || READS.test(following) ? [] : ['unstored'];
}

/** A life without a crash, and each step that it takes: new steps of the service are new rows by themselves. */
async function pointsOf(store: StoreName, ending: Ending): Promise<readonly CrashPoint[]> {
  const stopper = createStopper(null);
  const life = await createLife({ store, ending, redisPort, stopper });
  try {
    await life.begin();
    await life.ended();
  } finally {
    await life.close();
  }
  // Up to the clear all lives are the same.
  const from = ending === 'recovers' ? stopper.taken.findIndex(({ step }) => step === 'Airflow: clear') : 0;
  const taken = stopper.taken.slice(from);
  return taken.flatMap(({ step, nth }, index) =>
    momentsOf(store, step, taken[index + 1]?.step ?? '').map((when) => ({ step, nth, when })),
  );
}

const tables = await Promise.all(CASES.map(([store, ending]) => pointsOf(store, ending)));
const rows = CASES.map(([store, ending], index) => ({ store, ending, points: tables[index] ?? [] }));

afterAll(() => {
  process.stdout.write(`\n${table.sort().join('\n')}\n`);
});

describe.each(rows)('killed on $store, in the life of a run that $ending', ({ store, ending, points }) => {
  test('every step is there: callbacks, reads, the clear, and the alert or the success', () => {
    const steps = new Set(points.map(({ step }) => step));
    const told = ending === 'gives up' ? ['callback task-failed', 'alert'] : ['callback run-succeeded'];
    const stored = store === 'redis' ? ['Redis: swap', 'Redis: take what is due'] : [];
    for (const step of ['Airflow: clear', ...told, ...stored]) expect(steps).toContain(step);
    if (store === 'sqlite') expect(steps).toContain('Airflow: run');
  });

  test.concurrent.each(points)('$step, time $nth, $when: one clear, and the right end', async (point) => {
    const stopper = createStopper(point);
    const life = await createLife({ store, ending, redisPort, stopper });
    try {
      await life.begin();
      await stopper.reached;
      await life.kill();
      life.restart();
      await life.ended();
      const clears = life.model.clearsOf(RUN);
      const keys = new Set(life.alerts.map((alert) => alert.dedupe_key));
      table.push(
        `${store}, ${ending}: ${point.step} ${point.nth}, ${point.when}: ${clears.length} clear, ${life.alerts.length} alerts`,
      );
      expect(clears).toMatchObject([{ stateBefore: 'failed', restartedRunning: false }]);
      expect(life.model.attemptsOf(RUN)).toHaveLength(2);
      expect(keys.size).toBe(ending === 'gives up' ? 1 : 0);
      expect(life.alerts.length).toBeLessThanOrEqual(2);
      const left = { phase: 'gave_up', retries_used: 1, pending_alerts: 0 };
      expect(await life.kept()).toMatchObject(ending === 'gives up' ? [left] : []);
      if (ending === 'gives up') {
        expect(await life.repeatLastCallback()).toMatchObject({ status: 202, decision: 'giving_up' });
        expect(await life.kept()).toMatchObject([left]);
      }
    } finally {
      await life.close();
    }
  });

  test('what is left of it expires', async () => {
    const stopper = createStopper({ step: 'Airflow: clear', nth: 1, when: 'unread' });
    const life = await createLife({ store, ending, redisPort, stopper });
    try {
      await life.begin();
      await stopper.reached;
      await life.kill();
      life.restart();
      await life.ended();
      await life.kill();
      life.restart(WEEK_MS + 60_000);
      await expect.poll(() => life.kept()).toEqual([]);
      expect(life.model.clearsOf(RUN)).toHaveLength(1);
    } finally {
      await life.close();
    }
  });
});
