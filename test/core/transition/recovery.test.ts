import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/event.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  ALERT,
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  gaveUpRecord,
  givingUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { alertAnswered, failed, MISSING, NEXT_ATTEMPT, operated, running, seen, unavailable } from './events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;
const INCIDENT = ALERT.incident;
const EARLIER = 'dagain/daily_sales/earlier';
const TOLD = [{ channel: 'webhook', incident: INCIDENT }];
const SUCCESS = seen('success', NEXT_ATTEMPT);
const decide = (record: RunRecord, event: RunEvent, nowMs = NOW_MS, rules = rulesWith()) =>
  transition(RUN, record, event, rules, nowMs);
const become = (record: RunRecord, ...events: RunEvent[]) =>
  events.reduce<RunRecord | null>((before, event) => before && decide(before, event).next, record);
const recovered = (channel: string, incident = INCIDENT, attempt = 1) => ({
  kind: 'recovered',
  reason: 'run_succeeded',
  channel,
  incident,
  dedupeKey: `${incident}/recovered/${attempt}`,
  tries: 0,
  nextTryAtMs: NOW_MS,
});
const accepted = (alert: { channel: string; dedupeKey: string }) =>
  alertAnswered({ channel: alert.channel, dedupeKey: alert.dedupeKey });

describe('whoever has been told of a failure hears that the run has recovered', () => {
  test.each([
    ['confirming', confirmingRecord({ told: TOLD })],
    ['waiting', waitingRecord({ told: TOLD })],
    ['clearing', clearingRecord({ told: TOLD })],
    ['watching', watchingRecord({ told: TOLD })],
    ['gave_up', gaveUpRecord({ told: TOLD })],
  ] as const)('%s: the run succeeded', (_phase, record) => {
    const { next, decision } = decide(record, SUCCESS);
    expect(decision).toBe('cleaned_up');
    expect(next).toMatchObject({ phase: 'giving_up', reason: 'run_succeeded', told: [], dueAtMs: null });
    expect(next?.outbox).toMatchObject([recovered('webhook', INCIDENT, record.attempt)]);
    const [alert] = next?.outbox ?? [];
    expect(become(next as RunRecord, accepted(alert ?? ALERT))).toBeNull();
  });

  test('each channel once for each incident of which it was told, and nobody else', () => {
    const told = [
      { channel: 'webhook', incident: EARLIER },
      { channel: 'pager', incident: INCIDENT },
    ];
    const { next } = decide(watchingRecord({ told }), SUCCESS);
    expect(next?.outbox).toMatchObject([recovered('webhook', EARLIER, 2), recovered('pager', INCIDENT, 2)]);
    expect(next?.outbox).toHaveLength(2);
  });

  test('nobody where nobody has been told, and nobody of a run that was deleted', () => {
    expect(decide(gaveUpRecord(), SUCCESS).next).toBeNull();
    expect(decide(watchingRecord(), SUCCESS).next).toBeNull();
    expect(decide(gaveUpRecord({ told: TOLD }), MISSING).next).toBeNull();
  });

  test('one that takes its alert only after the success hears of the success next', () => {
    const waits = decide(givingUpRecord({ dueAtMs: NOW_MS }), SUCCESS).next as RunRecord;
    expect(waits.outbox).toEqual([ALERT]);
    const told = decide(waits, alertAnswered()).next as RunRecord;
    expect(told.outbox).toMatchObject([recovered('webhook')]);
    expect(become(told, accepted(told.outbox[0] ?? ALERT))).toBeNull();
  });

  test('a recovery never overtakes an alert of the same incident on its channel', () => {
    const earlier = { ...ALERT, kind: 'attempt_failed', dedupeKey: `${INCIDENT}/attempt_failed/1` } as const;
    const pager = { channel: 'pager', incident: INCIDENT };
    const record = watchingRecord({ outbox: [ALERT], told: [...TOLD, pager] });
    const ended = decide(record, SUCCESS).next as RunRecord;
    expect(ended.outbox).toMatchObject([ALERT, recovered('pager', INCIDENT, 2)]);
    const freed = decide(ended, alertAnswered({ accepted: false })).next;
    // Abandoned: but the channel knows of the incident by the alert before.
    expect(freed?.outbox).toMatchObject([recovered('pager', INCIDENT, 2), recovered('webhook', INCIDENT, 2)]);
    const both = decide(watchingRecord({ outbox: [ALERT, earlier] }), SUCCESS).next as RunRecord;
    expect(decide(both, alertAnswered()).next?.outbox).toEqual([earlier]);
    expect(become(both, alertAnswered(), accepted(earlier))?.outbox).toMatchObject([recovered('webhook', INCIDENT, 2)]);
  });

  test('a recovery that nobody takes is dropped in the end, and makes nobody told', () => {
    const ended = decide(gaveUpRecord({ told: TOLD }), SUCCESS).next as RunRecord;
    const [alert = ALERT] = ended.outbox;
    const { channel, dedupeKey } = alert;
    expect(become(ended, alertAnswered({ channel, dedupeKey, accepted: false }))).toBeNull();
  });
});

describe('who has been told', () => {
  test('is whoever has accepted an alert, once', () => {
    const again = { ...ALERT, dedupeKey: `${INCIDENT}/gave_up/4` };
    const record = givingUpRecord({ outbox: [ALERT, again] });
    expect(decide(record, alertAnswered()).next?.told).toEqual(TOLD);
    expect(become(record, alertAnswered(), accepted(again))?.told).toEqual(TOLD);
    expect(decide(record, alertAnswered({ accepted: false })).next?.told).toEqual([]);
  });

  test('stays known when a person restarts the run or grants a retry', () => {
    const restarts: readonly RunEvent[] = [
      seen('running', running(NEXT_ATTEMPT)),
      seen('failed', NEXT_ATTEMPT),
      failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs }),
      operated('grant', 1),
    ];
    for (const restart of restarts) {
      const taken = decide(gaveUpRecord({ told: TOLD }), restart).next;
      expect(taken?.phase).not.toBe('gave_up');
      expect(taken?.told).toEqual(TOLD);
      expect(taken && decide(taken, SUCCESS).next?.outbox).toMatchObject([{ kind: 'recovered', incident: INCIDENT }]);
    }
  });

  test('has the latest forty entries', () => {
    const told = Array.from({ length: 40 }, (_, index) => ({ channel: 'webhook', incident: `i${index}` }));
    const next = decide(givingUpRecord({ told }), alertAnswered()).next;
    expect(next?.told).toEqual([...told.slice(1), ...TOLD]);
  });

  test('a run of which somebody was told never ends quietly, also after a restart by a person', () => {
    const rules = rulesWith({ maxRetries: 0 });
    for (const record of [gaveUpRecord({ told: TOLD }), confirmingRecord({ told: TOLD })]) {
      const { next } = decide(record, seen('failed', NEXT_ATTEMPT), NOW_MS, rules);
      expect(next).toMatchObject({ phase: 'giving_up', reason: 'retries_off', told: TOLD });
      expect(next?.outbox).toMatchObject([{ kind: 'gave_up', channel: 'webhook' }]);
    }
    expect(decide(confirmingRecord(), seen('failed'), NOW_MS, rules).next).toBeNull();
  });
});

describe('a given-up run is looked at without anybody asking', () => {
  const gaveUpAtMs = FAILED_AT_MS;
  const ageAt = (ageMs: number, fields = { told: TOLD }) => {
    const expiresAtMs = gaveUpAtMs + 7 * 86_400_000;
    const record = gaveUpRecord({ ...fields, gaveUpAtMs, expiresAtMs, dueAtMs: gaveUpAtMs + ageMs });
    const next = decide(record, seen('failed'), gaveUpAtMs + ageMs).next;
    return ((next?.dueAtMs ?? Number.NaN) - gaveUpAtMs - ageMs) / 60_000;
  };

  test.each([
    ['1 min', 60_000, 1],
    ['10 min', 600_000, 1],
    ['1 h', 3_600_000, 6],
    ['5 h', 5 * 3_600_000, 30],
    ['6 days', 6 * 86_400_000, 30],
    ['10 min before the tombstone expires', 7 * 86_400_000 - 600_000, 10],
  ])('after %s: a tenth of that, from an interval to half an hour', (_age, ageMs, minutes) => {
    expect(ageAt(ageMs)).toBe(minutes);
  });

  test('only where somebody would have to be told', () => {
    expect(ageAt(60_000, { told: [] })).toBe(7 * 24 * 60 - 1);
  });

  test('also while the orchestrator is out, and while one channel takes nothing', () => {
    const out = decide(gaveUpRecord({ told: TOLD, dueAtMs: NOW_MS, gaveUpAtMs: NOW_MS }), unavailable()).next;
    expect(out?.dueAtMs).toBe(NOW_MS + 60_000);
    const pager = { ...ALERT, channel: 'pager' };
    const half = decide(givingUpRecord({ outbox: [ALERT, pager] }), alertAnswered()).next as RunRecord;
    expect(half).toMatchObject({ phase: 'giving_up', dueAtMs: NOW_MS + 60_000 });
    const looked = decide(half, seen('failed'), NOW_MS + 60_000).next;
    expect(looked).toMatchObject({ phase: 'giving_up', dueAtMs: NOW_MS + 120_000 });
    expect(decide(half, SUCCESS).next?.outbox).toMatchObject([pager, recovered('webhook')]);
  });

  test('the first time an interval after its last alert is out', () => {
    const { next } = decide(givingUpRecord({ gaveUpAtMs: NOW_MS - 1_000 }), alertAnswered());
    expect(next).toMatchObject({ phase: 'gave_up', dueAtMs: NOW_MS + 60_000 });
  });
});
