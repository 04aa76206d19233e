import { describe, expect, test } from 'vitest';
import { dueAtOf, keyOf, PHASES, RunRecord } from '../../src/core/record.ts';
import {
  ALERT,
  confirmingRecord,
  FAILED_AT_MS,
  gaveUpRecord,
  givingUpRecord,
  RUN,
  recordsOfAllPhases,
  waitingRecord,
} from '../support/records.ts';

const held = { actor: 'anna', comment: '', atMs: FAILED_AT_MS };
const alertAt = (nextTryAtMs: number) => ({ ...ALERT, nextTryAtMs });

describe('dueAtOf', () => {
  test.each([
    ['its phase', waitingRecord({ dueAtMs: 50 }), 50],
    ['an alert before its phase', waitingRecord({ dueAtMs: 50, outbox: [alertAt(70), alertAt(30)] }), 30],
    ['its phase before an alert', waitingRecord({ dueAtMs: 50, outbox: [alertAt(70)] }), 50],
    ['nothing, while it is held', waitingRecord({ dueAtMs: 50, held }), null],
    ['the end of a tombstone, also while it is held', gaveUpRecord({ dueAtMs: 50, expiresAtMs: 90, held }), 90],
    ['its alerts, while it is held', waitingRecord({ dueAtMs: 50, held, outbox: [alertAt(70), alertAt(90)] }), 70],
    ['its alerts alone', givingUpRecord({ dueAtMs: null, outbox: [alertAt(70)] }), 70],
    ['a look that was asked for', givingUpRecord({ dueAtMs: 10, outbox: [alertAt(70)] }), 10],
    ['the end of its tombstone', gaveUpRecord({ dueAtMs: 90, expiresAtMs: 90 }), 90],
  ])('%s', (_name, record, dueAtMs) => {
    expect(dueAtOf(record)).toBe(dueAtMs);
  });
});

describe('what is stored', () => {
  test('is of one of the phases, and has its key', () => {
    expect(recordsOfAllPhases().map(({ phase }) => phase)).toEqual([...PHASES]);
    expect(keyOf(confirmingRecord())).toEqual(RUN);
  });

  test.each(recordsOfAllPhases().map((record) => [record.phase, record] as const))(
    '%s: holds its own fields and no others',
    (_phase, record) => {
      expect(RunRecord.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
      expect(RunRecord.safeParse({ ...record, more: 1 }).success).toBe(false);
      for (const field of Object.keys(record)) {
        const { [field]: _left, ...rest } = record as Record<string, unknown>;
        expect(RunRecord.safeParse(rest).success, field).toBe(false);
      }
    },
  );

  test.each([
    { attempt: 0 },
    { retriesUsed: -1 },
    { retriesUsed: 0.5 },
    { dueAtMs: Number.NaN },
    { dueAtMs: Number.POSITIVE_INFINITY },
    { dueAtMs: '2026-01-01' },
    { dagId: '..' },
    { schema: 2 },
    { phase: 'sleeping' },
    { retriesUsedByClass: { other: 1 } },
  ])('is never %j', (changes) => {
    expect(RunRecord.safeParse({ ...waitingRecord(), ...changes }).success).toBe(false);
  });
});
