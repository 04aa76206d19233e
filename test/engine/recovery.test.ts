import { describe, expect, test } from 'vitest';
import { failed, NEXT_ATTEMPT, running } from '../core/transition/events.ts';
import { FAILED_AT_MS, FAILURE, FINGERPRINT, RUN } from '../support/records.ts';
import { createHarness, FAILED, type Harness } from './harness.ts';

const HOUR_MS = 3_600_000;
const SUCCESS = { ...FAILED, state: 'success', fingerprint: NEXT_ATTEMPT } as const;
const RUNNING = { ...FAILED, state: 'running', fingerprint: running(NEXT_ATTEMPT) } as const;
const told = ({ sent }: Harness) => sent.map(({ kind }) => kind);

/** A run whose only attempt has failed, under a policy that allows no other; two channels are told. */
async function givenUp(policy: Harness['script']['policy'] = {}): Promise<Harness> {
  const harness = createHarness();
  harness.script.policy = { neverOn: ['ValueError'], alertChannels: ['webhook', 'pager'], ...policy };
  harness.worker.start();
  await harness.intake.report(RUN, failed(FAILURE, { startedAtMs: FINGERPRINT.startedAtMs }));
  await harness.timers.advanceBy(1_000);
  expect(told(harness)).toEqual(['gave_up', 'gave_up']);
  expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up' });
  return harness;
}

describe('a run that was given up and succeeds after all', () => {
  test('is told of at once when the success is reported, to both channels, and nothing is left of it', async () => {
    const harness = await givenUp();
    harness.script.observe = async () => SUCCESS;
    await harness.intake.report(RUN, { type: 'success_reported' });
    await harness.timers.advanceBy(1_000);
    expect(told(harness)).toEqual(['gave_up', 'gave_up', 'recovered', 'recovered']);
    const [alert, , recovery] = harness.sent;
    expect(recovery?.incident).toBe(alert?.incident);
    expect(recovery?.dedupeKey).not.toBe(alert?.dedupeKey);
    expect(harness.store.get(RUN)).toBeNull();
    await harness.worker.stop();
  });

  test('is found out without any callback, hours later, in half an hour at most', async () => {
    const harness = await givenUp();
    await harness.timers.advanceBy(10 * HOUR_MS);
    const gaveUpAtMs = harness.store.get(RUN)?.history.at(-1)?.atMs ?? 0;
    expect(gaveUpAtMs).toBeLessThan(FAILED_AT_MS + HOUR_MS);
    harness.script.observe = async () => RUNNING;
    await harness.timers.advanceBy(31 * 60_000);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'watching', startedBy: 'person' });
    harness.script.observe = async () => SUCCESS;
    await harness.timers.advanceBy(61_000);
    expect(told(harness).slice(2)).toEqual(['recovered', 'recovered']);
    expect(harness.store.get(RUN)).toBeNull();
    expect(harness.clears).toEqual([]);
    await harness.worker.stop();
  });

  test('looks at it a few dozen times a day, not once a minute', async () => {
    const harness = await givenUp();
    let looks = 0;
    harness.script.observe = async () => {
      looks += 1;
      return FAILED;
    };
    await harness.timers.advanceBy(24 * HOUR_MS);
    expect(looks).toBeGreaterThan(48);
    expect(looks).toBeLessThan(90);
    await harness.timers.advanceBy(8 * 24 * HOUR_MS);
    expect(harness.store.get(RUN)).toBeNull();
    expect(told(harness)).toEqual(['gave_up', 'gave_up']);
    await harness.worker.stop();
  });

  test('a channel that is out hears of both in order, once it is back', async () => {
    const harness = createHarness();
    harness.script.policy = { neverOn: ['ValueError'], alertChannels: ['webhook', 'pager'] };
    const heard: string[] = [];
    let isOut = true;
    harness.script.channels = {
      webhook: () => ({ type: 'accepted' }),
      pager(alert) {
        if (isOut) return { type: 'retryable', detail: 'out', retryAfterMs: null };
        heard.push(alert.kind);
        return { type: 'accepted' };
      },
    };
    harness.worker.start();
    await harness.intake.report(RUN, failed(FAILURE, { startedAtMs: FINGERPRINT.startedAtMs }));
    await harness.timers.advanceBy(60_000);
    harness.script.observe = async () => SUCCESS;
    await harness.intake.report(RUN, { type: 'success_reported' });
    await harness.timers.advanceBy(HOUR_MS);
    expect(harness.store.get(RUN)).toMatchObject({
      phase: 'giving_up',
      outbox: [{ kind: 'gave_up', channel: 'pager' }],
    });
    isOut = false;
    await harness.timers.advanceBy(HOUR_MS);
    expect(heard).toEqual(['gave_up', 'recovered']);
    expect(harness.store.get(RUN)).toBeNull();
    await harness.worker.stop();
  });
});

test.each(['every_attempt', 'first_failure'] as const)(
  'alerts: %s: a retry that works is told of as well',
  async (alerts) => {
    const harness = createHarness();
    harness.script.policy = { alerts, delayMs: 1_000 };
    harness.worker.start();
    await harness.intake.report(RUN, failed(FAILURE, { startedAtMs: FINGERPRINT.startedAtMs }));
    await harness.timers.advanceBy(10_000);
    expect(harness.clears).toHaveLength(1);
    harness.script.observe = async () => SUCCESS;
    await harness.intake.report(RUN, { type: 'success_reported' });
    await harness.timers.advanceBy(1_000);
    expect(told(harness)).toEqual([alerts === 'first_failure' ? 'first_failure' : 'attempt_failed', 'recovered']);
    expect(harness.store.get(RUN)).toBeNull();
    await harness.worker.stop();
  },
);

test('alerts: final: a retry that works is told to nobody', async () => {
  const harness = createHarness();
  harness.script.policy = { delayMs: 1_000 };
  harness.worker.start();
  await harness.intake.report(RUN, failed(FAILURE, { startedAtMs: FINGERPRINT.startedAtMs }));
  await harness.timers.advanceBy(10_000);
  harness.script.observe = async () => SUCCESS;
  await harness.timers.advanceBy(HOUR_MS);
  expect([told(harness), harness.store.get(RUN)]).toEqual([[], null]);
  await harness.worker.stop();
});
