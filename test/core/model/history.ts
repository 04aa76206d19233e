import { expect } from 'vitest';
import type { ClearAnswered, RunEvent } from '../../../src/core/event.ts';
import { needsLeastClears } from '../../../src/core/evidence.ts';
import { type AlertKind, dueAtOf, RunRecord } from '../../../src/core/record.ts';
import type { Rules } from '../../../src/core/rules.ts';
import { transition } from '../../../src/core/transition.ts';
import { FAILED_AT_MS, RUN } from '../../support/records.ts';
import { type Callback, createSimulatedRun, type RunSettings, type SimulatedRun } from './simulated-run.ts';

/** What becomes of the next clear that is sent. */
export type ClearFate = 'accepted' | 'applied, answer lost' | 'applied late, answer lost' | 'lost' | 'refused for now';

interface UnderWay {
  readonly number: number;
  readonly fate: ClearFate;
  readonly untilMs: number;
}

/**
 * One run, its record and everything that happens between them, in any order. After each thing that happens the
 * invariants are checked against what is really the case.
 */
export interface History {
  readonly run: SimulatedRun;
  readonly record: RunRecord | null;
  readonly callbacks: Callback[];
  readonly nowMs: number;
  /** What channels have been told of and not seen end. */
  openIncidents(): string[];
  pass(durationMs: number): void;
  deliver(callback: Callback): void;
  success(): void;
  /** Looks if the record is due; `isDown`: nobody answers. */
  look(isDown: boolean, fate: ClearFate): void;
  answerAlerts(accepted: boolean): void;
  restartByPerson(): void;
  hold(): void;
  resume(): void;
  /** Takes a snapshot of the store. */
  keep(): void;
  lose(what: Loss): void;
}

/**
 * How state can be lost: a record that the index still knows, the whole store, the store and what the orchestrator's audit
 * log showed so far, or what was written lately.
 */
export type Loss = 'unreadable' | 'missing' | 'emptied' | 'emptied, and the log cleaned' | 'set back';

export function createHistory(settings: RunSettings, rules: Rules): History {
  const run = createSimulatedRun(settings, FAILED_AT_MS);
  const callbacks: Callback[] = [];
  let nowMs = FAILED_AT_MS;
  let record: RunRecord | null = null;
  let underWay: UnderWay | null = null;
  /** Our clears that took effect since a person last did something to the run; nothing else can open a new count. */
  let clearsSincePerson = 0;
  let mayRevive = false;
  let remembersSinceMs = 0;
  let hasLost = false;
  let isLogCleaned = false;
  /** What an older snapshot of the store holds. */
  let snapshot: RunRecord | null = null;
  const gaveUp = { alerts: 0, accepted: 0 };
  /** Incidents that a channel knows of and takes for open. */
  const open = new Set<string>();
  /** Incidents that a channel has ever heard of. */
  const told = new Set<string>();

  function apply(event: RunEvent, fate: ClearFate = 'accepted'): void {
    const before = record;
    const after = transition(RUN, record, event, rules, nowMs);
    record = after.next;
    if (record !== null) expect(RunRecord.parse(record)).toEqual(record);
    checkGivenUp(before);
    if (record !== null && record.held === null) expect(dueAtOf(record)).not.toBeNull();
    if (after.command === 'send_clear') send(before, fate);
  }

  function checkGivenUp(before: RunRecord | null): void {
    const isGivenUp = (one: RunRecord | null) => one?.phase === 'giving_up' || one?.phase === 'gave_up';
    if (isGivenUp(record) && !isGivenUp(before)) {
      mayRevive = false;
      if (record?.phase === 'giving_up' && !isEnded(record.reason)) gaveUp.alerts += 1;
    }
    if (isGivenUp(before) && record !== null && !isGivenUp(record)) expect(mayRevive).toBe(true);
  }

  /** Invariants 1 to 4, at the moment at which the request goes out. */
  function send(before: RunRecord | null, fate: ClearFate): void {
    if (record?.phase !== 'clearing') throw new Error('a clear is sent only from the phase clearing');
    expect(underWay).toBeNull();
    expect(run.state).toBe('failed');
    expect(before?.held).toBeNull();
    const observed = run.observe();
    const endedAtMs = observed.type === 'found' ? observed.fingerprint.endedAtMs : null;
    if (settings.version === 3) expect(nowMs).toBeGreaterThanOrEqual((endedAtMs ?? 0) + rules.policy.delayMs);
    expect(nowMs).toBeLessThanOrEqual(record.sendByMs);
    underWay = { number: record.clearsSent, fate, untilMs: record.dueAtMs };
    if (fate === 'accepted' || fate === 'applied, answer lost') takeEffect();
    if (fate === 'accepted') answer({ type: 'accepted', run: null });
    if (fate === 'refused for now') answer({ type: 'not_applied', reason: 'forbidden', retryAfterMs: null });
  }

  function takeEffect(): void {
    run.clear(nowMs, true);
    clearsSincePerson += 1;
    expect(clearsSincePerson).toBeLessThanOrEqual(rules.policy.maxRetries);
  }

  function answer(outcome: ClearAnswered['outcome']): void {
    if (underWay === null) return;
    const { number: clear } = underWay;
    underWay = null;
    apply({ type: 'clear_answered', clear, outcome });
  }

  /** A late clear takes effect just before nobody waits for it any more; a person may have been quicker. */
  function endRequest(): void {
    if (underWay === null || nowMs < underWay.untilMs) return;
    if (underWay.fate === 'applied late, answer lost' && run.state === 'failed') takeEffect();
    underWay = null;
  }

  function personDid(): void {
    clearsSincePerson = 0;
    mayRevive = true;
  }

  /** A channel accepts an alert; a recovery never comes first, nor without a success. */
  function tell(kind: AlertKind, incident: string): void {
    if (kind !== 'recovered') {
      open.add(incident);
      told.add(incident);
      return;
    }
    // A store that was set back may have forgotten that it told of the recovery before.
    const wasOpen = open.delete(incident);
    expect(wasOpen || (hasLost && told.has(incident))).toBe(true);
    expect(run.hasSucceeded).toBe(true);
  }

  return {
    run,
    callbacks,
    openIncidents: () => [...open],
    get record() {
      return record;
    },
    get nowMs() {
      return nowMs;
    },
    pass(durationMs) {
      nowMs += durationMs;
      endRequest();
    },
    deliver(callback) {
      const before = record;
      apply(callback.event);
      const isLate = before !== null && before.phase !== 'clearing' && isBefore(callback, before, run);
      // Invariant 6, where the callback says enough to be known as late, and what to hold it against was not lost.
      if (isLate && !hasLost && isComparable(callback, before)) expect(record).toBe(before);
    },
    success: () => apply({ type: 'success_reported' }),
    look(isDown, fate) {
      if (record === null || record.held !== null || record.dueAtMs === null || record.dueAtMs > nowMs) return;
      endRequest();
      const outage = { type: 'unavailable', reason: 'unreachable', retryAfterMs: null } as const;
      if (record.phase === 'gave_up' && nowMs >= record.expiresAtMs) return apply({ type: 'time_passed' });
      // A task that runs in every attempt tells of each of them.
      const tries = needsLeastClears(record, remembersSinceMs) ? { leastClears: run.attempt - 1 } : {};
      const evidence = { restarts: run.restarts(), remembersSinceMs, lostAtMs: null, ...tries };
      apply({ type: 'observed', observation: isDown ? outage : run.observe(), evidence }, fate);
    },
    answerAlerts(accepted) {
      const due = record?.outbox.filter((alert) => alert.nextTryAtMs <= nowMs) ?? [];
      for (const { dedupeKey, channel, kind, incident } of due) {
        if (kind === 'gave_up' && accepted) gaveUp.accepted += 1;
        if (accepted) tell(kind, `${channel} ${incident}`);
        const nextTryAtMs = accepted ? null : nowMs + 5_000;
        apply({ type: 'alert_answered', dedupeKey, channel, accepted, detail: null, nextTryAtMs });
      }
      // Invariant 7: never more than were owed; at the end none is (see `settleDown`).
      expect(gaveUp.accepted).toBeLessThanOrEqual(gaveUp.alerts);
      if (record === null || record.outbox.length === 0) expect(gaveUp.accepted).toBe(gaveUp.alerts);
    },
    restartByPerson() {
      if (run.state !== 'failed' && run.state !== 'success') return;
      run.clear(nowMs, false);
      personDid();
    },
    hold() {
      if (record !== null) record = { ...record, held: { actor: 'anna', comment: '', atMs: nowMs } };
    },
    resume() {
      if (record !== null) record = { ...record, held: null };
    },
    keep() {
      snapshot = record;
    },
    lose(what) {
      if (underWay !== null || (record === null && what !== 'set back')) return;
      // An older snapshot that nobody notices shows in the audit log or nowhere.
      if (what === 'set back' && (!settings.hasAuditLog || isLogCleaned)) return;
      mayRevive = true;
      hasLost = true;
      record = what === 'set back' ? snapshot : null;
      // What was owed before is forgotten with it, or owed again.
      gaveUp.alerts = gaveUp.accepted + (record?.outbox.filter(({ kind }) => kind === 'gave_up').length ?? 0);
      open.clear();
      if (what === 'emptied' || what === 'emptied, and the log cleaned') remembersSinceMs = nowMs;
      if (what === 'emptied, and the log cleaned') {
        isLogCleaned = true;
        run.cleanLog();
      }
      if (what === 'unreadable' || what === 'missing')
        apply({ type: 'state_lost', problem: what, detail: what, clears: 0 });
    },
  };
}

function isEnded(reason: string): boolean {
  return reason === 'run_succeeded' || reason === 'run_missing';
}

/**
 * Whether the record has something to hold the callback's evidence against. A try number alone tells nothing where the
 * failure was not heard of while its attempt was dealt with.
 */
function isComparable({ event: { evidence } }: Callback, record: RunRecord): boolean {
  const isStartKnown = record.previous !== null && record.previous.fingerprint.startedAtMs !== null;
  return (
    (evidence.startedAtMs !== null && isStartKnown) || (evidence.clearNumber !== null && record.clearNumber !== null)
  );
}

/** Whether the callback is certainly of an attempt before the one that the record is about. */
function isBefore({ attempt }: Callback, record: RunRecord, run: SimulatedRun): boolean {
  // While watching, the record is about the attempt that it has seen start; it never knows of more than there are.
  return attempt < record.attempt && record.attempt <= run.attempt;
}
