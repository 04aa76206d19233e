import { formatDurationMs } from '../../core/duration.ts';
import { failureClassOf } from '../../core/judgement.ts';
import { EVERYTHING, type Pause } from '../../core/pause.ts';
import type { RecordIn, RunRecord } from '../../core/record.ts';
import { dueAtOf } from '../../core/record.ts';
import { describeFailures } from '../../core/transition/fields.ts';
import { airflowTrouble, airflowWords } from './airflow-words.ts';
import type { Facts, Said } from './facts.ts';
import { explainGivenUp } from './given-up.ts';
import { capWords, from, policyTrouble, refusalWords } from './policy-words.ts';
import { count, shellWord, utc, withComment } from './words.ts';

const DOCTOR = 'Run `dagain doctor`: it says what is wrong with Airflow, and what to do about it.';

/** Why a record stands where it does. Pure. */
export function explainRecorded(record: RunRecord, facts: Facts): Said {
  if (record.phase === 'giving_up' || record.phase === 'gave_up') return explainGivenUp(record, facts);
  const said = record.held === null ? sayPhase(record, facts) : held(record, record.held);
  const isOut = facts.observation.type === 'unavailable';
  return {
    ...said,
    because: [...said.because, ...shadowWords(facts), ...alertWords(record)],
    advice: isOut ? [...said.advice, DOCTOR] : said.advice,
  };
}

type Pending = Exclude<RunRecord, { phase: 'giving_up' | 'gave_up' }>;

function sayPhase(record: Pending, facts: Facts): Said {
  switch (record.phase) {
    case 'confirming':
      return confirming(record, facts);
    case 'waiting':
      return facts.pause === null ? waiting(record, facts) : paused(record, facts.pause, facts);
    case 'clearing':
      return clearing(record, facts);
    case 'watching':
      return watching(record, facts);
  }
}

function held(record: Pending, by: NonNullable<RunRecord['held']>): Said {
  return {
    verdict: 'held',
    summary: `${by.actor} has paused the run: nothing is done for it until it is resumed.`,
    because: [withComment(`${by.actor} paused it at ${utc(by.atMs)}`, by.comment), failureWords(record)],
    advice: [
      `Resume it: \`dagain runs resume ${shellWord(record.dagId)} ${shellWord(record.dagRunId)}\`, or on the run's page.`,
    ],
  };
}

function paused(record: RecordIn<'waiting'>, pause: Pause, facts: Facts): Said {
  const isAll = pause.scope === EVERYTHING;
  const what = isAll ? 'all retries' : 'the retries of this Dag';
  const command = isAll ? '`dagain dags resume --all`' : `\`dagain dags resume ${shellWord(pause.scope)}\``;
  return {
    verdict: 'paused',
    summary: `${pause.actor} has paused ${what}: the retry waits until they are resumed.`,
    because: [
      withComment(`${pause.actor} paused ${isAll ? 'everything' : 'the Dag'} at ${utc(pause.atMs)}`, pause.comment),
      failureWords(record),
      ...budgetWords(record, facts),
      `The delay ${record.retryAtMs > facts.nowMs ? 'ends' : 'ended'} at ${utc(record.retryAtMs)}.`,
    ],
    advice: [`Resume ${isAll ? 'everything' : 'the Dag'}: ${command}, or on the page.`],
  };
}

function confirming(record: RecordIn<'confirming'>, facts: Facts): Said {
  const settle = facts.policy?.explained;
  return {
    verdict: 'confirming',
    summary: 'A failure was reported; Airflow is asked until the whole run has failed.',
    because: [
      failureWords(record),
      ...airflowWords(facts),
      ...(settle === undefined
        ? []
        : [
            `It may take until ${utc(record.sinceMs + settle.policy.settleTimeoutMs)} to settle (settle_timeout ${formatDurationMs(settle.policy.settleTimeoutMs)}, ${from(settle, 'settle_timeout')}).`,
          ]),
      ...budgetWords(record, facts),
      ...nextLookWords(record),
    ],
    advice: [],
  };
}

function waiting(record: RecordIn<'waiting'>, facts: Facts): Said {
  const { nowMs } = facts;
  const retry = `Retry ${record.retriesUsed + 1} of ${record.maxRetries}`;
  const summary =
    record.retryAtMs > nowMs
      ? `${retry} is due at ${utc(record.retryAtMs)}.`
      : `${retry} has been due since ${utc(record.retryAtMs)}.`;
  const advice =
    record.retryAtMs > nowMs
      ? [`To retry at once: \`dagain runs retry-now ${shellWord(record.dagId)} ${shellWord(record.dagRunId)}\`.`]
      : [];
  return {
    verdict: 'retry_pending',
    summary,
    because: [
      failureWords(record),
      ...budgetWords(record, facts),
      ...refusedNow(record, facts),
      ...restartWords(facts),
      ...nextLookWords(record),
    ],
    advice,
  };
}

function clearing(record: RecordIn<'clearing'>, facts: Facts): Said {
  return {
    verdict: 'clearing',
    summary: `Retry ${record.retriesUsed} of ${record.maxRetries} is being started: the clear is sent, or its answer is not known yet.`,
    because: [
      `The retry is spent. What became of the clear is looked up at ${utc(record.dueAtMs)}; until then it is not sent again.`,
      ...airflowWords(facts),
      ...budgetWords(record, facts),
    ],
    advice: [],
  };
}

function watching(record: RecordIn<'watching'>, facts: Facts): Said {
  const by = record.startedBy === 'person' ? 'a person' : 'dagain';
  return {
    verdict: 'attempt_running',
    summary: attemptWords(record, facts),
    because: [
      `Attempt ${record.attempt} was started by ${by} at ${utc(record.clearedAtMs)}.`,
      ...airflowWords(facts),
      ...budgetWords(record, facts),
      ...nextLookWords(record),
    ],
    advice: [],
  };
}

/** What is kept may be older than what Airflow shows: nobody has told, or the answer is on its way. */
function attemptWords({ attempt }: RecordIn<'watching'>, { observation }: Facts): string {
  const state = observation.type === 'found' ? observation.state : observation.type;
  if (state === 'failed') return `Attempt ${attempt} has failed in Airflow; the service has yet to see it.`;
  if (state === 'success') return `Attempt ${attempt} has succeeded in Airflow; the service has yet to see it.`;
  if (state === 'missing') return `Attempt ${attempt} was started, but Airflow knows no such run any more.`;
  return `Attempt ${attempt} runs.`;
}

/** A pending retry is for a run that has failed; whoever restarts it meanwhile wins. */
function restartWords(facts: Facts): string[] {
  const { observation } = facts;
  if (observation.type === 'unavailable') return airflowTrouble(facts);
  if (observation.type === 'missing') return ['Airflow knows no such run any more: the retry will be dropped.'];
  if (observation.state === 'failed') return airflowTrouble(facts);
  return [
    ...airflowWords(facts),
    'It has been restarted, or was never over: the pending retry is dropped, unspent, when it is looked at.',
  ];
}

function failureWords(record: Pick<RunRecord, 'attempt' | 'failures'>): string {
  const [first] = record.failures;
  if (first === undefined) return `No failure of attempt ${record.attempt} is known.`;
  return `Attempt ${record.attempt} failed at ${utc(first.failedAtMs)} (${describeFailures(record.failures)}; class ${first.failureClass}).`;
}

function budgetWords(record: RunRecord, { policy }: Facts): string[] {
  if (policy === null) return ['The policy could not be worked out.'];
  const granted =
    record.granted === 0 ? [] : [`${count(record.granted, 'retry was', 'retries were')} granted by a person on top.`];
  const words = capWords(policy.explained, failureClassOf(record), record.retriesUsed);
  return [words, ...granted, ...policyTrouble(policy.explained)];
}

/** The policy may have been changed since the retry was scheduled. */
function refusedNow(record: RecordIn<'waiting'>, { policy }: Facts): string[] {
  if (policy?.judgement == null || policy.judgement.retry) return [];
  const { reason, failureClass } = policy.judgement;
  const rule = refusalWords(policy.explained, { ...record, reason, failureClass });
  return [`As the policy is now, the run will be given up instead when it is due: ${rule}`];
}

function nextLookWords(record: RunRecord): string[] {
  const dueAtMs = dueAtOf(record);
  return dueAtMs === null ? [] : [`The service next looks at it at ${utc(dueAtMs)}.`];
}

function alertWords({ outbox }: RunRecord): string[] {
  if (outbox.length === 0) return [];
  return [`${count(outbox.length, 'alert has', 'alerts have')} not been accepted by a channel yet.`];
}

function shadowWords({ isShadow }: Facts): string[] {
  return isShadow ? ['Shadow mode: nothing is cleared, whatever is decided.'] : [];
}
