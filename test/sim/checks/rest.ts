import type { RunRecord } from '../../../src/core/record.ts';
import { formatRunKey, type RunKey } from '../../../src/core/run-key.ts';
import type { Callback } from '../../support/airflow/model/callbacks.ts';
import type { Run } from '../../support/airflow/model/run-state.ts';
import type { SimEvent } from '../events.ts';
import type { Watcher } from '../journal.ts';
import type { AlertCheck } from './alerts.ts';
import { type CheckContext, hasEndedWell, isAnotherGiveUp, isGivenUp } from './context.ts';

/** Invariants 7, 10 and 11, when nothing goes wrong any more and everything has come to rest. */
export interface RestCheck {
  readonly watch: Watcher;
  /** What is still on its way, or null when nothing is. */
  unrest(): string | null;
  check(): void;
}

/** What is known of a run apart from its record. */
interface Knowledge {
  /** Starts of the attempts of which a failure was accepted. */
  readonly failures: Set<number>;
  /** When the record last came to an end, by a give-up or a refusal, and how. */
  endedAtMs: number;
  how: string;
  /** It was given up without anybody having seen the attempt or heard of its start: no later one can be told from it. */
  isUnseen: boolean;
  personAtMs: number;
}

export function checkRest(context: CheckContext, keys: () => readonly RunKey[], alerts: AlertCheck): RestCheck {
  const { journal, model, nowMs, stored } = context;
  const knowledge = new Map<string, Knowledge>();
  const reportedAtMs = new Map<Callback, number>();
  /** Which replica is about to do what an operator wants of a run, however long that takes. */
  const operating = new Map<string, string>();
  let lostAtMs = -1;
  let mayRead = true;

  function knownOf(key: RunKey): Knowledge {
    const name = formatRunKey(key);
    const known = knowledge.get(name) ?? {
      failures: new Set<number>(),
      endedAtMs: -1,
      how: 'nothing',
      isUnseen: false,
      personAtMs: -1,
    };
    knowledge.set(name, known);
    return known;
  }

  function ended(key: RunKey, how: string): void {
    Object.assign(knownOf(key), { endedAtMs: nowMs(), how });
  }

  function watch(event: SimEvent): void {
    if (event.type === 'rights') mayRead = event.areThere;
    if (event.type === 'reported') reportedAtMs.set(event.callback, nowMs());
    if (event.type === 'accepted') {
      const startMs = startOf(event.callback);
      // What was stored before a loss may be answered after it.
      const isKept = (reportedAtMs.get(event.callback) ?? nowMs()) > lostAtMs;
      if (startMs !== null && isKept) knownOf(event.key).failures.add(startMs);
      if (event.decision === 'not_retryable') ended(event.key, 'not retryable');
    }
    // What was only in the store is forgotten; what is in Airflow's audit log must still come to an end.
    if (event.type === 'store_lost') lostAtMs = nowMs();
    if (event.type === 'store_lost') for (const known of knowledge.values()) known.failures.clear();
    if (event.type === 'operating') operating.set(formatRunKey(event.key), event.by);
    if (event.type === 'answered') operating.delete(formatRunKey(event.key));
    // An operator's act takes effect between the two.
    const isOperator = event.type === 'operating' || event.type === 'answered';
    if (event.type === 'person' || isOperator) knownOf(event.key).personAtMs = nowMs();
    if (event.type !== 'swapped') return;
    const { key, before, after } = event;
    if (isAnotherGiveUp(before, after)) knownOf(key).isUnseen = isUnseen(key, after);
    if (after === null && operating.get(formatRunKey(key)) !== event.by) checkRemoval(key, before);
    if (after === null) ended(key, before?.retriesUsed === 0 ? 'removed, nothing spent' : 'removed');
    else if (isAnotherGiveUp(before, after)) ended(key, after.reason);
  }

  /** A retry that is spent is forgotten only when the run has succeeded or is gone; a person may have acted just now. */
  function checkRemoval(key: RunKey, before: RunRecord | null): void {
    const isJustNow = nowMs() - knownOf(key).personAtMs < 60_000;
    if (before?.phase !== 'clearing' || isJustNow || model.run(key)?.state !== 'failed') return;
    journal.violate('only what is over is forgotten', formatRunKey(key));
  }

  /** Whether nobody could have known which attempt it is that is given up here. */
  function isUnseen(key: RunKey, after: RunRecord): boolean {
    if (!isGivenUp(after) || after.fingerprint !== null) return false;
    const startMs = model.run(key)?.startedAtMs ?? null;
    return after.reason !== 'settle_timeout' || startMs === null || !knownOf(key).failures.has(startMs);
  }

  function checkRun(key: RunKey, run: Run): void {
    const name = formatRunKey(key);
    const record = stored(key);
    const known = knownOf(key);
    if (run.state === 'success' || run.startedAtMs === null) return;
    // Without a sweep nobody hears of a run none of whose callbacks came through.
    const isKnown = known.failures.has(run.startedAtMs);
    if (isKnown && !known.isUnseen && known.endedAtMs < run.startedAtMs) {
      journal.violate('every failed run comes to an end', `${name}: ${known.how}, record ${record?.phase ?? 'none'}`);
    }
    const last = run.attempts.at(-1);
    // What a person has marked since need not concern us any more.
    if (last?.startedBy !== 'dagain' || known.personAtMs >= last.requestedAtMs) return;
    // Nobody is told of failures where retries are off; that this one was ours went with the store.
    const isForgotten = lostAtMs >= last.requestedAtMs && isRefusal(known.how);
    if (!isForgotten && !alerts.hasToldSince(name, last.requestedAtMs)) {
      journal.violate('every failed run comes to an end', `${name}: our last attempt failed and nobody was told`);
    }
  }

  return {
    watch,
    unrest() {
      // What the store has lost is looked for as soon as we may.
      if (!mayRead) return 'our user may do nothing';
      const active = keys().find((key) => model.run(key) !== undefined && !isOver(model.run(key)));
      if (active !== undefined) return `${formatRunKey(active)} is ${model.stateOf(active)}`;
      const busy = keys().find((key) => !isAtRest(stored(key), model.run(key)));
      return busy === undefined ? null : `${formatRunKey(busy)} is ${stored(busy)?.phase}`;
    },
    check() {
      for (const key of keys()) {
        const run = model.run(key);
        if (run !== undefined) checkRun(key, run);
        if (hasEndedWell(stored(key))) journal.violate('nothing is left', `${formatRunKey(key)} has ended well`);
      }
      for (const one of alerts.owed()) journal.violate('a give-up is told', `nobody has accepted ${one}`);
    },
  };
}

function isRefusal(how: string): boolean {
  return how === 'removed, nothing spent' || how === 'not retryable';
}

function isOver(run: Run | undefined): boolean {
  return run?.state === 'success' || run?.state === 'failed';
}

/** Where somebody was told of a failure, the run is looked at until it is gone or seen to have failed again. */
function isAtRest(record: RunRecord | null, run: Run | undefined): boolean {
  const isSeenFailed = (start: number | null | undefined) => run?.state === 'failed' && run.startedAtMs === start;
  return (
    record === null ||
    (record.phase === 'gave_up' &&
      record.held === null &&
      record.outbox.length === 0 &&
      (record.told.length === 0
        ? record.dueAtMs === record.expiresAtMs
        : isSeenFailed(record.fingerprint?.startedAtMs)))
  );
}

function startOf(callback: Callback): number | null {
  const written = callback.type === 'run-succeeded' ? undefined : callback.body.dag_run?.start_date;
  return written === undefined ? null : Date.parse(written);
}
