import type { JournalEntry } from '../../core/journal.ts';
import { formatRunKey } from '../../core/run-key.ts';
import type { FoundRun } from '../../orchestrator/port.ts';
import { whoStopped } from '../evidence.ts';
import { airflowWords } from './airflow-words.ts';
import type { Facts, Said } from './facts.ts';
import { capWords, policyTrouble, refusalWords } from './policy-words.ts';
import { count, shellWord, utc, withComment } from './words.ts';

/** How far our clock and Airflow's may differ, and how long after a run's end its last word may come. */
const SLACK_MS = 60_000;
const FRESH_MS = 60_000;
const STORE_OUT = 'The store cannot be reached: until it can, nothing is cleared, and callbacks are refused.';
const DOCTOR = 'Run `dagain doctor`: it checks the store, Airflow and the permissions, and says what is missing.';

/** Why nothing is kept of a run. Pure. */
export function explainUnrecorded(facts: Facts): Said {
  const { observation, stored } = facts;
  const [latest] = stored.events;
  const last = latest?.entry ?? null;
  const shown = [...airflowWords(facts), ...(last === null ? [] : [lastWords(last)])];
  if (observation.type === 'found' && observation.state !== 'failed') return notFailed(observation, facts, shown);
  if (stored.status === 'unavailable') return storeOut(shown);
  if (observation.type !== 'found') return notFound(facts, last, shown);
  const isOver = last !== null && (observation.fingerprint.endedAtMs ?? 0) <= last.atMs + SLACK_MS;
  return isOver ? ended(last, shown) : failed(facts, shown);
}

function notFailed({ state }: FoundRun, { stored }: Facts, shown: readonly string[]): Said {
  const last = stored.events[0]?.entry ?? null;
  if (state === 'success' && last?.type === 'recovered') {
    const summary = `The run has succeeded on attempt ${last.attempt ?? '?'}, after ${count(last.retriesUsed ?? 0, 'retry', 'retries')}.`;
    return { verdict: 'recovered', summary, because: shown, advice: [] };
  }
  if (state === 'success' && last !== null) return ended(last, shown);
  const kept = stored.status === 'unavailable' ? STORE_OUT : 'Nothing is kept of it here.';
  const summary = state === 'success' ? 'The run has succeeded.' : `The run is ${state}: it has not failed.`;
  return { verdict: 'not_failed', summary, because: [...shown, kept], advice: [] };
}

function storeOut(shown: readonly string[]): Said {
  return {
    verdict: 'not_known',
    summary: "The service's own store cannot be reached: what is kept of this run is not known.",
    because: [STORE_OUT, ...shown],
    advice: [DOCTOR],
  };
}

function notFound({ observation, key }: Facts, last: JournalEntry | null, shown: readonly string[]): Said {
  if (last !== null) return ended(last, shown);
  const because = [...shown, 'Nothing is kept of it here, and the journal does not know it.'];
  if (observation.type === 'unavailable') {
    const summary = 'Airflow cannot be asked, and nothing is kept of this run.';
    return { verdict: 'not_known', summary, because, advice: [DOCTOR] };
  }
  return {
    verdict: 'unknown_run',
    summary: `There is no run ${formatRunKey(key)} in Airflow.`,
    because,
    advice: ['Check the Dag id and the run id: both are case-sensitive, and run ids hold the time zone.'],
  };
}

function ended(last: JournalEntry, shown: readonly string[]): Said {
  const advice =
    last.type === 'gave_up'
      ? ['Mend the cause and clear the run in Airflow: a failure after that begins a new count.']
      : [];
  return { verdict: 'ended', summary: `It is over: ${WORDS[last.type]} (${last.reason}).`, because: shown, advice };
}

/** The run has failed, and nothing is kept of it. */
function failed(facts: Facts, shown: readonly string[]): Said {
  const { policy, unreported, trail } = facts;
  const nobody =
    'Nothing is kept of it here: no callback of this failure has arrived, or none that the policy retries.';
  if (policy === null || unreported === null) {
    const summary = 'The run has failed; whether it would be retried cannot be told, because the policy is not known.';
    return { verdict: 'not_known', summary, because: [...shown, nobody], advice: [DOCTOR] };
  }
  const { judgement, failures, areTasksKnown } = unreported;
  const because = [
    ...shown,
    ...(areTasksKnown ? [] : ['Which tasks have failed could not be read.']),
    ...policyTrouble(policy.explained),
  ];
  const by = trail.type === 'found' ? whoStopped(trail.entries) : null;
  if (by !== null) {
    const summary = `${by} has set the run, or a task of it, to failed: what a person has stopped is not retried.`;
    return {
      verdict: 'not_retried_by_policy',
      summary,
      because,
      advice: ['Clear the run in Airflow to run it again.'],
    };
  }
  if (!judgement.retry) {
    const { reason, failureClass } = judgement;
    const endedAtMs = failedAtMs(facts);
    const about = { failures, retriesUsed: 0, granted: 0, firstFailedAtMs: endedAtMs };
    const rule = refusalWords(policy.explained, { reason, failureClass, ...about });
    return {
      verdict: 'not_retried_by_policy',
      summary: `The run has failed, and the policy does not retry it (${reason}).`,
      because: [rule, ...because],
      advice: [
        `\`dagain policy explain ${shellWord(facts.key.dagId)}\` shows the whole policy of the Dag, and where it comes from.`,
      ],
    };
  }
  return {
    verdict: 'never_reported',
    summary: 'The run has failed, and nobody has told: the policy would retry it.',
    because: [
      ...because,
      nobody,
      ...freshWords(facts),
      capWords(policy.explained, judgement.failureClass, 0),
      ...pausedWords(facts),
    ],
    advice: adviceOnSilence(facts),
  };
}

/** A callback takes its time, and the tasks' own retries may still be under way. */
function freshWords(facts: Facts): string[] {
  const agoMs = facts.nowMs - failedAtMs(facts);
  return agoMs < FRESH_MS
    ? [`It ended only ${Math.max(0, Math.round(agoMs / 1_000))} s ago: a callback may still come.`]
    : [];
}

function adviceOnSilence({ isWatching }: Facts): string[] {
  if (isWatching) {
    return [
      'Watch mode is on: the search takes such a run up, unless it ended longer ago than DAGAIN_WATCH_LOOK_BACK.',
    ];
  }
  return [
    "Is the Dag's on_failure_callback wired? See the README, Wire a Dag; or set DAGAIN_WATCH=on, which needs no callbacks.",
    'Clear the run in Airflow to run it again now.',
  ];
}

function pausedWords({ pause }: Facts): string[] {
  if (pause === null) return [];
  return [
    withComment(`${pause.actor} has paused retries of ${scopeWords(pause.scope)} at ${utc(pause.atMs)}`, pause.comment),
  ];
}

function scopeWords(scope: string): string {
  return scope === '*' ? 'everything' : 'this Dag';
}

function failedAtMs({ observation, nowMs }: Facts): number {
  return observation.type === 'found' ? (observation.fingerprint.endedAtMs ?? nowMs) : nowMs;
}

const WORDS: Readonly<Record<JournalEntry['type'], string>> = {
  failed: 'an attempt failed',
  retried: 'a retry was started',
  restarted: 'a person restarted the run',
  recovered: 'the run recovered',
  gave_up: 'retries were given up',
  ended: 'the run needed no more retries',
  operated: 'a person acted on it',
};

function lastWords({ atMs, type, reason, actor, action, comment }: JournalEntry): string {
  const what = actor === null ? WORDS[type] : `${actor} did: ${action ?? 'something'}`;
  return withComment(`The journal's last word on it: ${what} at ${utc(atMs)} (${reason})`, comment ?? '');
}
