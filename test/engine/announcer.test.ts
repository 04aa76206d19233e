import { describe, expect, test } from 'vitest';
import type { SendResult } from '../../src/alerts/port.ts';
import { ALERT, FAILED_AT_MS, givingUpRecord, RUN, waitingRecord } from '../support/records.ts';
import { createHarness, gate, type Harness } from './harness.ts';

const NOW_MS = FAILED_AT_MS + 60_000;
const DAY_MS = 24 * 3_600_000;
const alert = { ...ALERT, createdAtMs: NOW_MS, nextTryAtMs: NOW_MS };

async function announce(harness: Harness): Promise<void> {
  const record = harness.store.get(RUN);
  if (record !== null) await harness.announcer.announce(RUN, record);
}

/** The pauses between tries, in seconds, of a channel that always answers `result`. */
async function pauses(result: SendResult, tries: number): Promise<number[]> {
  const harness = createHarness();
  harness.store.put(givingUpRecord({ outbox: [alert] }));
  harness.script.channels = { webhook: () => result };
  const found: number[] = [];
  for (let n = 0; n < tries; n += 1) {
    await announce(harness);
    const nextMs = harness.store.get(RUN)?.outbox[0]?.nextTryAtMs ?? Number.NaN;
    found.push((nextMs - harness.timers.nowMs()) / 1_000);
    await harness.timers.advanceTo(nextMs);
  }
  return found;
}

describe('announcing', () => {
  test('tells the channel everything, and takes the alert out when it is accepted', async () => {
    const harness = createHarness();
    harness.store.put(givingUpRecord({ outbox: [alert] }));
    await announce(harness);
    expect(harness.sent).toMatchObject([
      { ...RUN_FIELDS, dedupeKey: alert.dedupeKey, kind: 'gave_up', runUrl: 'https://airflow.example/run' },
    ]);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up', outbox: [] });
    expect(harness.counts.get('alerted webhook accepted')).toBe(1);
  });

  const RUN_FIELDS = { key: RUN, retriesUsed: 0, maxRetries: 2, createdAtMs: NOW_MS };

  test.each([
    ['of the count that goes on', waitingRecord, `/${FAILED_AT_MS}`, 'attempt_failed', false],
    ['of an earlier count', waitingRecord, '/1', 'attempt_failed', true],
    ['of a run that has been given up since', givingUpRecord, `/${FAILED_AT_MS}`, 'first_failure', true],
    ['of the give-up itself', givingUpRecord, `/${FAILED_AT_MS}`, 'gave_up', false],
    ['of the recovery', givingUpRecord, '/1', 'recovered', false],
  ] as const)(
    'says of an alert %s whether it comes too late to open anything',
    async (_what, recordOf, end, kind, isOutdated) => {
      const harness = createHarness();
      const pending = { ...alert, kind, incident: `dagain/daily_sales/run${end}` };
      harness.store.put(recordOf({ outbox: [pending] }));
      await announce(harness);
      expect(harness.sent).toMatchObject([{ kind, isOutdated }]);
    },
  );

  test('sends only what is due', async () => {
    const harness = createHarness();
    harness.store.put(givingUpRecord({ outbox: [{ ...alert, nextTryAtMs: NOW_MS + 1 }] }));
    await announce(harness);
    expect(harness.sent).toEqual([]);
    await harness.timers.advanceBy(1);
    await announce(harness);
    expect(harness.sent).toHaveLength(1);
  });

  test.each([
    ['hangs', () => gate().passed.then(() => ({ type: 'accepted' }) as const)],
    ['does not take it', () => ({ type: 'retryable', detail: 'no', retryAfterMs: null }) as const],
    ['breaks', () => Promise.reject(new Error('a bug'))],
  ])('goes to each channel on its own: one that %s holds up no other', async (name, webhook) => {
    const harness = createHarness();
    harness.store.put(givingUpRecord({ outbox: [alert, { ...alert, channel: 'pager' }] }));
    harness.script.channels = { webhook, pager: () => ({ type: 'accepted' }) };
    const announced = announce(harness);
    await harness.timers.advanceBy(1_000);
    const [left, ...others] = harness.store.get(RUN)?.outbox ?? [];
    expect([left?.channel, others]).toEqual(['webhook', []]);
    if (name === 'hangs') return;
    await announced;
    expect(left).toMatchObject({ tries: 1 });
  });

  test('tries again after 5 s, doubling up to a quarter of an hour', async () => {
    const found = await pauses({ type: 'retryable', detail: '503', retryAfterMs: null }, 10);
    expect(found).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
  });

  test('waits as long as the receiver asks, a quarter of an hour at most', async () => {
    expect(await pauses({ type: 'retryable', detail: '429', retryAfterMs: 60_000 }, 5)).toEqual([60, 60, 60, 60, 80]);
    expect(await pauses({ type: 'retryable', detail: '429', retryAfterMs: 10 ** 9 }, 2)).toEqual([900, 900]);
  });

  test('slows down for what needs a person, after a few tries', async () => {
    const found = await pauses({ type: 'permanent', detail: '404' }, 9);
    expect(found).toEqual([5, 10, 20, 300, 300, 300, 320, 640, 900]);
  });

  test('drops an alert after a week, and says so loudly; the run is not kept for ever', async () => {
    const harness = createHarness();
    harness.store.put(givingUpRecord({ outbox: [alert] }));
    harness.script.channels = { webhook: () => ({ type: 'retryable', detail: '503', retryAfterMs: null }) };
    await harness.timers.advanceBy(7 * DAY_MS);
    await announce(harness);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'giving_up' });
    await harness.timers.advanceBy(900_000);
    await announce(harness);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up', outbox: [] });
    expect(harness.store.get(RUN)?.history.at(-1)).toMatchObject({ reason: 'alert_abandoned' });
    expect(harness.lines.at(-1)).toMatchObject(['error', 'alert abandoned: nobody was told', { detail: '503' }]);
  });

  test('an alert for a channel that is not configured any more is kept, and dropped after a week', async () => {
    const harness = createHarness();
    harness.store.put(givingUpRecord({ outbox: [{ ...alert, channel: 'removed' }] }));
    await announce(harness);
    expect(harness.store.get(RUN)?.outbox).toMatchObject([{ tries: 1, nextTryAtMs: NOW_MS + 5_000 }]);
    await harness.timers.advanceBy(7 * DAY_MS + 1);
    await announce(harness);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up' });
    expect(harness.sent).toEqual([]);
  });

  test('an answer that cannot be stored leaves the alert for the next try: delivered at least once', async () => {
    const harness = createHarness();
    harness.store.put(givingUpRecord({ outbox: [alert] }));
    harness.store.beforeSwap = () => {
      throw new Error('out');
    };
    await expect(announce(harness)).rejects.toThrow('out');
    expect(harness.store.get(RUN)?.outbox).toEqual([alert]);
  });
});
