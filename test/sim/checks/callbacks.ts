import type { RunRecord } from '../../../src/core/record.ts';
import { formatRunKey, type RunKey } from '../../../src/core/run-key.ts';
import type { Callback } from '../../support/airflow/model/callbacks.ts';
import type { SimEventOf } from '../events.ts';
import type { Watcher } from '../journal.ts';
import { OUR_USER } from '../parts/replica.ts';
import { NEVER_RETRIED } from '../scenario/dags.ts';
import { type CheckContext, hasEndedWell, isGivenUp } from './context.ts';

/** From a look to the effect of the clear that rests on it. */
const MAX_RACE_MS = 60_000;

/**
 * Invariant 6 at the record: a callback that says when its attempt began, before the clear that started the attempt
 * which is being watched, starts nothing. And what was reported, once accepted, counts: a failure that forbids the
 * retry is not forgotten.
 */
export function checkCallbacks({ journal, model, nowMs, stored }: CheckContext): Watcher {
  const forbidden = new Map<string, Set<number>>();
  const underWay = new Map<string, Set<Callback>>();
  const reportedAtMs = new Map<Callback, number>();
  const forgottenAtMs = new Map<string, number>();
  const acceptedAtMs = new Map<string, number>();
  const resetting = new Set<string>();
  const takenUpAtMs = new Map<string, number>();
  let hasLost = false;

  function onSwap({ by, key, before, after, isIntake }: SimEventOf<'swapped'>): void {
    const name = formatRunKey(key);
    // An operator's grant to a given-up run counts more than what its failures said.
    const isTakenUp = isGivenUp(before) && after !== null && after.granted > before.granted;
    if (after === null || isTakenUp) forbidden.delete(name);
    if (after === null || isTakenUp) forgottenAtMs.set(name, nowMs());
    if (isTakenUp) takenUpAtMs.set(name, nowMs());
    const isRepeated = before?.phase === 'clearing' && (after?.clearsSent ?? 0) > before.clearsSent;
    if (after?.phase === 'clearing' && (before?.phase === 'waiting' || isRepeated)) {
      const startMs = after.fingerprint.startedAtMs;
      if (startMs !== null && forbidden.get(name)?.has(startMs)) {
        journal.violate('what is never retried is never retried', `${name}: the attempt of ${startMs}`);
      }
    }
    const isStarted = after?.phase === 'confirming' || after?.phase === 'waiting';
    if (hasLost) return;
    // An end and a callback that comes after it may share a swap: nothing is remembered of a run that has ended well.
    if (hasEndedWell(before)) return;
    // A reset and the failure that comes after it may share one too, and then that one counts as the first.
    if (resetting.has(`${by} ${name}`)) return;
    if (isIntake && isStarted && !isTakenUp && before !== null && before.phase !== after.phase)
      checkStart(by, key, before, after);
  }

  /** At least one of the callbacks that this process is taking in must be of an attempt that the record is not beyond. */
  function checkStart(by: string, key: RunKey, before: RunRecord, after: RunRecord): void {
    const name = formatRunKey(key);
    const beganMs = beginningOf(key, before);
    const callbacks = [...(underWay.get(`${by} ${name}`) ?? [])];
    const isNews = callbacks.some(
      (callback) => callback.type !== 'run-succeeded' && (startOf(callback) ?? Infinity) >= beganMs,
    );
    if (!isNews) journal.violate('a late callback starts nothing', `${name}: ${before.phase} -> ${after.phase}`);
  }

  /** Before this, nothing can have happened in the attempt that the record is about, or in the next one. */
  function beginningOf(key: RunKey, record: RunRecord): number {
    if (isGivenUp(record)) return (record.fingerprint?.startedAtMs ?? -1) + 1;
    if (record.phase !== 'watching' || record.startedBy !== 'dagain') return 0;
    // Last seen running, it may have failed just before our clear; before Airflow 3.2 nothing tells that from the next failure.
    if (record.previous?.wasFailed === false) return 0;
    const clears = model.clearsOf(key);
    const ours = clears.findLast(({ owner, stateBefore }) => owner === OUR_USER && stateBefore === 'failed')?.atMs ?? 0;
    // A person may have come in between our look and our clear; nobody has seen the attempt that ended so soon.
    const raced = clears.find(({ owner, atMs }) => owner !== OUR_USER && atMs < ours && ours - atMs <= MAX_RACE_MS);
    return raced?.atMs ?? ours;
  }

  /** What callbacks could be held against is lost: one of an earlier attempt may pass for the latest one's. */
  function onLoss(): void {
    forbidden.clear();
    hasLost = true;
  }

  function onAccepted({ key, callback, decision }: SimEventOf<'accepted'>): void {
    if (callback.type !== 'task-failed' || callback.body.exception?.type !== NEVER_RETRIED) return;
    const startMs = startOf(callback);
    const number = callback.body.dag_run?.clear_number;
    if (number !== undefined && number < (model.run(key)?.clearNumber ?? 0)) return;
    // Nothing is kept of a run that is off by policy; should the policy change, it starts anew.
    const record = stored(key);
    if (startMs === null || record === null) return;
    // Where only a tombstone is left of it, neither.
    if (decision === 'not_retryable' && isGivenUp(record)) return;
    const name = formatRunKey(key);
    // A grant counts more than what was on its way before it, and nothing is kept of a run that was off by policy.
    if ((reportedAtMs.get(callback) ?? nowMs()) <= (forgottenAtMs.get(name) ?? -1)) return;
    // Nor does it count again when it is delivered once more.
    const content = `${name} ${JSON.stringify(callback.body)}`;
    const firstAcceptedAtMs = acceptedAtMs.get(content) ?? nowMs();
    acceptedAtMs.set(content, firstAcceptedAtMs);
    if (firstAcceptedAtMs <= (takenUpAtMs.get(name) ?? -1)) return;
    forbidden.set(name, (forbidden.get(name) ?? new Set()).add(startMs));
  }

  function callbacksOf({ by, key }: { readonly by: string; readonly key: RunKey }): Set<Callback> {
    const name = `${by} ${formatRunKey(key)}`;
    const callbacks = underWay.get(name) ?? new Set();
    underWay.set(name, callbacks);
    return callbacks;
  }

  return (event) => {
    if (event.type === 'store_lost') onLoss();
    // What was cleared before it had ended keeps its start: the next attempt is another one all the same.
    const isOurs = event.type === 'clear_over' && event.clear !== null && event.clear.stateBefore !== 'failed';
    const isPersons = event.type === 'person' && event.restarted && event.stateBefore !== 'failed';
    if (isOurs || isPersons) forbidden.delete(formatRunKey(event.key));
    // A reset and the failure that comes with it may share one swap.
    if ((event.type === 'operating' || event.type === 'answered') && event.action === 'reset') {
      const name = formatRunKey(event.key);
      forbidden.delete(name);
      if (event.type === 'operating') resetting.add(`${event.by} ${name}`);
      else resetting.delete(`${event.by} ${name}`);
    }
    if (event.type === 'swapped') onSwap(event);
    if (event.type === 'reported') {
      reportedAtMs.set(event.callback, nowMs());
      callbacksOf(event).add(event.callback);
    }
    if (event.type === 'refused' || event.type === 'accepted') callbacksOf(event).delete(event.callback);
    if (event.type === 'accepted') onAccepted(event);
  };
}

function startOf(callback: Callback): number | null {
  const written = callback.type === 'run-succeeded' ? undefined : callback.body.dag_run?.start_date;
  return written === undefined ? null : Date.parse(written);
}
