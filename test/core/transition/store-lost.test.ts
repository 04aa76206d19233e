import { expect, test } from 'vitest';
import type { Evidence } from '../../../src/core/evidence.ts';
import { transition } from '../../../src/core/transition.ts';
import { FAILED_AT_MS, RUN, waitingRecord } from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { AGREES, operated, seen } from './events.ts';

const NOW_MS = FAILED_AT_MS + 600_000;

test.each([
  [0, null],
  [44_999, null],
  [45_000, 'send_clear'],
])('%d ms after data was found lost a clear that nobody knows of may be under way: %s', (sinceMs, command) => {
  const lostAtMs = NOW_MS - sinceMs;
  const look = { ...seen('failed'), evidence: { ...AGREES, lostAtMs } };
  const after = transition(RUN, waitingRecord(), look, rulesWith(), NOW_MS);
  expect(after.command).toBe(command);
  if (command === null)
    expect(after.next).toMatchObject({ phase: 'waiting', dueAtMs: lostAtMs + 45_000, retriesUsed: 0 });
});

test('what was given up for want of evidence is retried when an operator says so', () => {
  const untold: Evidence = {
    restarts: { type: 'untold', detail: 'forbidden' },
    remembersSinceMs: NOW_MS,
    lostAtMs: null,
  };
  const look = { ...seen('failed'), evidence: untold };
  const unknown = waitingRecord({ countIs: 'unchecked' });
  const givenUp = transition(RUN, unknown, look, rulesWith({ alertChannels: [] }), NOW_MS).next;
  expect(givenUp).toMatchObject({ phase: 'gave_up', reason: 'state_lost' });
  const granted = transition(RUN, givenUp, operated('grant', 1), rulesWith(), NOW_MS).next;
  const settled = transition(RUN, granted, look, rulesWith({ delayMs: 0 }), NOW_MS + 1).next;
  expect(settled).toMatchObject({ phase: 'waiting' });
  expect(transition(RUN, settled, look, rulesWith({ delayMs: 0 }), NOW_MS + 2)).toMatchObject({
    command: 'send_clear',
  });
});
