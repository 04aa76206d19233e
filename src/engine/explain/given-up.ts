import { failureClassOf } from '../../core/judgement.ts';
import { REFUSALS, type Refusal } from '../../core/reason.ts';
import type { RecordIn } from '../../core/record.ts';
import { describeFailures } from '../../core/transition/fields.ts';
import { airflowWords } from './airflow-words.ts';
import type { Facts, Said } from './facts.ts';
import { policyTrouble, refusalWords } from './policy-words.ts';
import { count, shellWord, utc } from './words.ts';

type GivenUp = RecordIn<'giving_up' | 'gave_up'>;

/** Why retries have ended. Pure. */
export function explainGivenUp(record: GivenUp, facts: Facts): Said {
  const { reason, retriesUsed, maxRetries, gaveUpAtMs } = record;
  const used = `${retriesUsed} of ${count(maxRetries, 'retry', 'retries')} used`;
  const because = [...causeWords(record, facts), ...airflowWords(facts), ...leftWords(record)];
  switch (reason) {
    case 'run_succeeded': {
      const summary = `The run has succeeded on attempt ${record.attempt} (${used}).`;
      return { verdict: 'recovered', summary, because, advice: [] };
    }
    case 'run_missing':
      return { verdict: 'ended', summary: 'The run was deleted in Airflow.', because, advice: [] };
    case 'reset_by_operator': {
      const summary = 'A person has reset the run: the next failure begins a new count.';
      return { verdict: 'ended', summary, because, advice: [] };
    }
    case 'would_have_retried': {
      const summary = `Shadow mode: the run would have been retried at ${utc(gaveUpAtMs)} (${used}).`;
      return { verdict: 'would_have_retried', summary, because, advice: ['DAGAIN_MODE=active makes such retries.'] };
    }
    default:
      return {
        verdict: 'gave_up',
        summary: `Given up at ${utc(gaveUpAtMs)} (${reason}; ${used}): the run is not retried any more.`,
        because,
        advice: [
          'Mend the cause and clear the run in Airflow: a failure after that begins a new count.',
          `Or have it retried once more: \`dagain runs grant ${shellWord(record.dagId)} ${shellWord(record.dagRunId)} --retries 1\`.`,
        ],
      };
  }
}

function causeWords(record: GivenUp, { policy }: Facts): string[] {
  const [first] = record.failures;
  const failed =
    first === undefined
      ? []
      : [`Attempt ${record.attempt} failed at ${utc(first.failedAtMs)} (${describeFailures(record.failures)}).`];
  return [...reasonWords(record, policy), ...failed, ...(policy === null ? [] : policyTrouble(policy.explained))];
}

function reasonWords(record: GivenUp, policy: Facts['policy']): string[] {
  const { reason } = record;
  const detail = record.history.findLast((entry) => entry.type === 'gave_up')?.detail;
  const told = detail === undefined ? [] : [`Noted then: ${detail}.`];
  if (isRefusal(reason)) {
    if (policy === null) return [`The policy said no (${reason}).`, ...told];
    const failureClass = failureClassOf(record) ?? 'task_error';
    const isOtherCap = reason === 'max_retries_reached' && policy.maxRetries !== record.maxRetries;
    const then = isOtherCap ? [`The cap was ${record.maxRetries} then; the policy has been changed since.`] : [];
    return [...then, refusalWords(policy.explained, { ...record, reason, failureClass }), ...told];
  }
  const words = WORDS[reason];
  return [...(words === undefined ? [] : [words]), ...operatorWords(record), ...told];
}

function operatorWords({ reason, history }: GivenUp): string[] {
  if (reason !== 'cancelled_by_operator' && reason !== 'reset_by_operator') return [];
  const entry = history.findLast(({ type }) => type === 'operator');
  return entry?.detail === undefined ? [] : [`It was done ${entry.detail} at ${utc(entry.atMs)}.`];
}

/** What is still to happen with what is kept of the run. */
function leftWords(record: GivenUp): string[] {
  const alerts = record.outbox.length;
  return [
    ...(alerts === 0 ? [] : [`${count(alerts, 'alert has', 'alerts have')} not been accepted by a channel yet.`]),
    ...(record.phase === 'gave_up'
      ? [`This is remembered until ${utc(record.expiresAtMs)}: late callbacks start nothing.`]
      : []),
  ];
}

function isRefusal(reason: string): reason is Refusal {
  return REFUSALS.some((one) => one === reason);
}

/** The reasons that are no rule of the policy. */
const WORDS: Readonly<Record<string, string>> = {
  settle_timeout: 'The run did not settle in time (settle_timeout): it was never seen failed.',
  clear_refused: 'Airflow refused the clear, and will refuse it again.',
  clear_had_no_effect: 'Airflow took the clear, but no new attempt began.',
  state_lost: 'What was kept of the run was lost or contradicts Airflow: in doubt nothing is cleared.',
  stopped_by_person: 'A person set the run, or a task of it, to failed: what a person has stopped is not retried.',
  cancelled_by_operator: 'A person cancelled its retries here.',
  orchestrator_unavailable: 'Airflow did not answer for too long.',
};
