import { describe, expect, test } from 'vitest';
import { transition } from '../../../src/core/transition.ts';
import {
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FINGERPRINT,
  RUN,
  recordsOfAllPhases,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { failed, operated, seen } from './events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;
const paused = rulesWith({}, { pause: { scope: '*', actor: 'anna', comment: 'upgrade', atMs: FAILED_AT_MS } });
const waiting = waitingRecord();

describe('while retries are paused', () => {
  test('a retry that is due waits, unspent, and is looked at again after the sweep interval', () => {
    for (const event of [seen('failed'), { type: 'paused' } as const]) {
      const { next, command, decision, reason } = transition(RUN, waiting, event, paused, NOW_MS);
      expect([command, decision, reason]).toEqual([null, 'held', 'paused_by_operator']);
      expect(next).toEqual({ ...waiting, dueAtMs: NOW_MS + 60_000 });
    }
  });

  test('it goes out once they are resumed', () => {
    const { next } = transition(RUN, waiting, { type: 'paused' }, paused, NOW_MS);
    expect(transition(RUN, next, seen('failed'), rulesWith(), NOW_MS + 60_000).command).toBe('send_clear');
  });

  test('a clear that did not work is not repeated', () => {
    const clearing = clearingRecord({ dueAtMs: NOW_MS });
    const after = transition(RUN, clearing, seen('failed', FINGERPRINT), paused, NOW_MS);
    expect(after).toMatchObject({ command: null, reason: 'paused_by_operator', next: { phase: 'clearing' } });
  });

  test('failures are taken, and who reports them is told', () => {
    const first = transition(RUN, null, failed(), paused, NOW_MS);
    expect(first).toMatchObject({ decision: 'held', reason: 'paused_by_operator', next: { phase: 'confirming' } });
    const second = transition(RUN, waiting, failed(), paused, NOW_MS);
    expect(second).toMatchObject({ decision: 'held', reason: 'paused_by_operator', next: { phase: 'waiting' } });
  });

  test('runs are confirmed, watched and given up as ever', () => {
    expect(transition(RUN, confirmingRecord(), seen('failed'), paused, NOW_MS).next?.phase).toBe('waiting');
    expect(transition(RUN, watchingRecord(), seen('success'), paused, NOW_MS).next).toBeNull();
    const off = rulesWith({ maxRetries: 0 }, { pause: paused.pause });
    expect(transition(RUN, confirmingRecord(), seen('failed'), off, NOW_MS).next).toBeNull();
  });

  test('nobody can have one retried at once', () => {
    const after = transition(RUN, waiting, operated('retry_now'), paused, NOW_MS);
    expect(after).toMatchObject({ decision: 'stale', reason: 'paused_by_operator', next: waiting });
  });
});

test('without a pause, or where none is waited for, its event changes nothing', () => {
  for (const record of recordsOfAllPhases()) {
    const early = transition(RUN, record, { type: 'paused' }, rulesWith(), NOW_MS);
    expect(early).toMatchObject({ next: record, reason: 'superseded' });
    const isDue = record.phase === 'waiting';
    if (!isDue) expect(transition(RUN, record, { type: 'paused' }, paused, NOW_MS).next).toBe(record);
  }
});
