import type { FailureReported, Observed, SeenRun } from '../../../src/core/event.ts';
import type { Restarts } from '../../../src/core/evidence.ts';
import type { Fingerprint } from '../../../src/core/record.ts';
import { FAILURE } from '../../support/records.ts';

/** What callbacks tell about the attempt that they belong to; the less, the more the orchestrator must be asked. */
export type Evidence = 'all' | 'start' | 'number' | 'try number only' | 'none';

export interface RunSettings {
  /** Airflow 2 shows no `queued_at`, and the end of a finished run moves. */
  readonly version: 2 | 3;
  readonly evidence: Evidence;
  /** Whether it may be read. */
  readonly hasAuditLog: boolean;
}

/** A callback and the attempt that it is really of. */
export interface Callback {
  readonly attempt: number;
  readonly event: FailureReported;
}

/** One run as it really is, as far as decisions can depend on it. */
export interface SimulatedRun {
  readonly attempt: number;
  readonly state: 'queued' | 'running' | 'success' | 'failed' | 'deleted';
  /** Whether any attempt has ever succeeded. */
  readonly hasSucceeded: boolean;
  start(nowMs: number): void;
  finish(state: 'success' | 'failed', nowMs: number): void;
  /** What a clear does: a finished run begins its next attempt. */
  clear(nowMs: number, isOurs: boolean): void;
  /** What the audit log tells, where it may be read. */
  restarts(): Restarts;
  /** Somebody deletes what the audit log holds so far. */
  cleanLog(): void;
  delete(): void;
  /** A left-over process ends after the run. */
  moveEnd(nowMs: number): void;
  observe(): Observed['observation'];
  /** A failure of one of the attempt's tasks, or (null) of the run as a whole. */
  callback(task: string | null, nowMs: number): Callback;
}

export function createSimulatedRun({ version, evidence, hasAuditLog }: RunSettings, startMs: number): SimulatedRun {
  const clears: { readonly atMs: number; readonly isOurs: boolean }[] = [];
  let attempt = 1;
  let hasSucceeded = false;
  let state: SimulatedRun['state'] = 'running';
  let marks: Fingerprint = { queuedAtMs: startMs, startedAtMs: startMs, endedAtMs: null };

  const evidenceOf = () => ({
    startedAtMs: evidence === 'all' || evidence === 'start' ? marks.startedAtMs : null,
    clearNumber: evidence === 'all' || evidence === 'number' ? attempt - 1 : null,
    runType: null,
  });
  const idOf = (task: string | null) => {
    if (task !== null) return evidence === 'none' ? `task:${task}|0` : `task:${task}|${attempt}`;
    const { startedAtMs, clearNumber } = evidenceOf();
    return `run:${startedAtMs ?? clearNumber ?? ''}`;
  };

  return {
    get attempt() {
      return attempt;
    },
    get state() {
      return state;
    },
    get hasSucceeded() {
      return hasSucceeded;
    },
    start(nowMs) {
      state = 'running';
      marks = { ...marks, startedAtMs: nowMs };
    },
    finish(how, nowMs) {
      state = how;
      hasSucceeded ||= how === 'success';
      marks = { ...marks, endedAtMs: nowMs };
    },
    clear(nowMs, isOurs) {
      if (state !== 'failed' && state !== 'success') throw new Error(`a run that is ${state} was cleared`);
      attempt += 1;
      clears.push({ atMs: nowMs, isOurs });
      state = 'queued';
      marks = { queuedAtMs: nowMs, startedAtMs: null, endedAtMs: null };
    },
    restarts() {
      if (!hasAuditLog) return { type: 'untold', detail: 'forbidden' };
      return { type: 'told', clears: [...clears] };
    },
    cleanLog() {
      clears.length = 0;
    },
    delete() {
      state = 'deleted';
    },
    moveEnd(nowMs) {
      if (version === 2 && marks.endedAtMs !== null) marks = { ...marks, endedAtMs: nowMs };
    },
    observe(): SeenRun | { type: 'missing' } {
      if (state === 'deleted') return { type: 'missing' };
      const fingerprint = version === 2 ? { ...marks, queuedAtMs: null } : { ...marks };
      return { type: 'found', state, fingerprint, runType: null };
    },
    callback(task, nowMs) {
      const tryNumber = task === null || evidence === 'none' ? null : attempt;
      const failure = { ...FAILURE, id: idOf(task), taskId: task, tryNumber, failedAtMs: nowMs };
      return { attempt, event: { type: 'failure_reported', failure, evidence: evidenceOf(), override: null } };
    },
  };
}
