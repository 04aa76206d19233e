import { expect, test } from 'vitest';
import { transition } from '../../../src/core/transition.ts';
import { FAILED_AT_MS, RUN, waitingRecord } from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { AGREES, seen } from './events.ts';

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
