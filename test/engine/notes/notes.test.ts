import { describe, expect, test } from 'vitest';
import { createNotes } from '../../../src/engine/notes.ts';
import type { NoteOutcome } from '../../../src/orchestrator/port.ts';
import { clearingRecord, gaveUpRecord, RUN, waitingRecord, watchingRecord } from '../../support/records.ts';
import { createVirtualTimers } from '../../support/timers.ts';
import { type Gate, gate } from '../harness.ts';

const ACCEPTED: NoteOutcome = { type: 'accepted' };
const planned = { before: null, next: waitingRecord(), decision: 'retry_scheduled', reason: 'settled' } as const;
const clearing = {
  before: waitingRecord(),
  next: clearingRecord(),
  decision: 'retry_scheduled',
  reason: 'clear_due',
} as const;
const running = {
  before: clearingRecord(),
  next: watchingRecord(),
  decision: 'retry_scheduled',
  reason: 'clear_accepted',
} as const;
const givenUp = { before: null, next: gaveUpRecord(), decision: 'giving_up', reason: 'never_on' } as const;
const out = (reason: 'forbidden' | 'timed_out'): NoteOutcome => ({
  type: 'unavailable',
  reason,
  detail: '',
  retryAfterMs: null,
});

function setUp() {
  const timers = createVirtualTimers({ startMs: 1_000_000 });
  const written: string[] = [];
  const warnings: string[] = [];
  const counts: string[] = [];
  const script: { outcome: NoteOutcome; gate: Gate | null; breaks: boolean } = {
    outcome: ACCEPTED,
    gate: null,
    breaks: false,
  };
  const notes = createNotes({
    orchestrator: {
      async annotate(key, line) {
        written.push(`${key.dagRunId}: ${line?.split(' ').slice(0, 2).join(' ') ?? 'nothing'}`);
        await script.gate?.passed;
        if (script.breaks) throw new Error('a bug');
        return script.outcome;
      },
    },
    clock: { nowMs: timers.nowMs, schedule: timers.schedule },
    log: { debug() {}, info() {}, warn: (_fields, message) => void warnings.push(message), error() {} },
    telemetry: { noted: (result) => void counts.push(result) },
  });
  return { timers, written, warnings, counts, script, notes };
}

const runNamed = (dagRunId: string) => ({ ...RUN, dagRunId });

describe('notes', () => {
  test('what follows within two seconds makes one write, of the latest', async () => {
    const { notes, timers, written } = setUp();
    notes.changed(runNamed('a'), planned);
    await timers.advanceBy(1_000);
    notes.changed(runNamed('a'), givenUp);
    await timers.advanceBy(1_999);
    expect(written).toEqual([]);
    await timers.advanceBy(1);
    expect(written).toEqual(['a: gave up']);
    await timers.advanceBy(60_000);
    expect(written).toHaveLength(1);
  });

  test('a retry that starts at once is not announced any more: nothing is written beside the clear', async () => {
    const { notes, timers, written } = setUp();
    notes.changed(runNamed('a'), planned);
    notes.changed(runNamed('a'), clearing);
    await timers.advanceBy(10_000);
    expect(written).toEqual([]);
    notes.changed(runNamed('a'), running);
    await timers.advanceBy(2_000);
    expect(written).toHaveLength(1);
  });

  test('a run has one writer: the later line waits for the earlier one', async () => {
    const { notes, timers, written, script } = setUp();
    script.gate = gate();
    notes.changed(runNamed('a'), planned);
    await timers.advanceBy(2_000);
    notes.changed(runNamed('a'), givenUp);
    await timers.advanceBy(30_000);
    expect(written).toHaveLength(1);
    script.gate.open();
    await timers.advanceBy(0);
    expect(written).toEqual(['a: retry 1', 'a: gave up']);
  });

  test('two runs at a time, whatever the number', async () => {
    const { notes, timers, written, script } = setUp();
    script.gate = gate();
    for (let run = 0; run < 10; run += 1) notes.changed(runNamed(`${run}`), planned);
    await timers.advanceBy(60_000);
    expect(written).toHaveLength(2);
    script.gate.open();
    await timers.advanceBy(0);
    expect(written).toHaveLength(10);
  });

  test('more than a thousand that wait are not kept', async () => {
    const { notes, timers, written, counts } = setUp();
    for (let run = 0; run < 1_200; run += 1) notes.changed(runNamed(`${run}`), planned);
    await timers.advanceBy(2_000);
    expect(written).toHaveLength(1_000);
    expect(written[0]).toBe('200: retry 1');
    expect(counts.filter((result) => result === 'dropped')).toHaveLength(200);
  });

  test('without the permission it is said once, and not tried for an hour', async () => {
    const { notes, timers, written, warnings, script } = setUp();
    script.outcome = out('forbidden');
    for (let minute = 0; minute < 125; minute += 1) {
      notes.changed(runNamed(`${minute}`), planned);
      await timers.advanceBy(60_000);
    }
    expect(written.length).toBeGreaterThan(1);
    expect(written.length).toBeLessThanOrEqual(3);
    expect(warnings).toHaveLength(1);
  });

  test('while the orchestrator does not answer, they are dropped', async () => {
    const { notes, timers, written, counts, script } = setUp();
    script.outcome = out('timed_out');
    notes.changed(runNamed('a'), planned);
    await timers.advanceBy(2_000);
    script.outcome = ACCEPTED;
    notes.changed(runNamed('b'), planned);
    await timers.advanceBy(20_000);
    notes.changed(runNamed('b'), givenUp);
    await timers.advanceBy(20_000);
    expect(written).toEqual(['a: retry 1']);
    notes.changed(runNamed('c'), planned);
    await timers.advanceBy(2_000);
    expect(written).toEqual(['a: retry 1', 'c: retry 1']);
    expect(counts).toEqual(['timed_out', 'dropped', 'dropped', 'accepted']);
  });

  test('a bug in one does not keep the others from being written', async () => {
    const { notes, timers, written, script } = setUp();
    script.breaks = true;
    notes.changed(runNamed('a'), planned);
    await timers.advanceBy(2_000);
    notes.changed(runNamed('b'), planned);
    await timers.advanceBy(2_000);
    expect(written).toHaveLength(2);
  });

  test('a stop waits for what is being written, and writes nothing more', async () => {
    const { notes, timers, written, script } = setUp();
    script.gate = gate();
    notes.changed(runNamed('a'), planned);
    await timers.advanceBy(2_000);
    notes.changed(runNamed('b'), planned);
    let isStopped = false;
    const stopped = notes.stop().then(() => {
      isStopped = true;
    });
    await timers.advanceBy(10_000);
    expect(isStopped).toBe(false);
    script.gate.open();
    await stopped;
    await timers.advanceBy(10_000);
    expect(written).toEqual(['a: retry 1']);
  });
});
