import type { Failure } from '../record.ts';
import type { Rules } from '../rules.ts';
import { type CommonFields, MAX_FAILURES } from './fields.ts';
import { judgeRecord } from './steps.ts';

/**
 * The failures of an attempt with one more. Beyond MAX_FAILURES only one that changes the judgement gets in, in place
 * of one that does not matter; else the same array comes back, so that nothing is written for it.
 */
export function withFailure(
  record: CommonFields,
  failure: Failure,
  rules: Rules,
  nowMs: number,
): CommonFields['failures'] {
  const found = record.failures.findIndex((one) => isSameFoundOut(one, failure));
  if (found >= 0) return record.failures.with(found, failure);
  const { failures } = record;
  if (failures.length < MAX_FAILURES) return [...failures, failure];
  const verdictOn = (some: Failure[]) => {
    const judgement = judgeRecord({ ...record, failures: some }, rules, nowMs);
    return `${judgement.failureClass} ${judgement.retry ? 'retry' : judgement.reason}`;
  };
  const verdict = verdictOn([...failures, failure]);
  if (verdict === verdictOn(failures)) return failures;
  const choices = failures.map((_, index) => failures.with(failures.length - 1 - index, failure));
  return choices.find((some) => verdictOn(some) === verdict) ?? failures;
}

/** Whether a failure says nothing that the record does not know; that its task has failed is not all that it says. */
export function isKnown(record: CommonFields, failure: Failure): boolean {
  return record.failures.some((known) => known.id === failure.id && !isSameFoundOut(known, failure));
}

/** Whether `known` is what the orchestrator showed of the task try that a callback now tells more of. */
function isSameFoundOut(known: Failure, failure: Failure): boolean {
  const { taskId, mapIndex, tryNumber } = failure;
  if (known.taskId === null || known.taskId !== taskId || !isBare(known)) return false;
  // Under Airflow 2 both have the same id, and a callback that tells no more either is a duplicate.
  if (known.id === failure.id && isBare(failure)) return false;
  return known.id.startsWith('task:') && (known.mapIndex ?? -1) === (mapIndex ?? -1) && known.tryNumber === tryNumber;
}

function isBare({ exceptionType, logUrl }: Failure): boolean {
  return exceptionType === null && logUrl === null;
}
