import { classify } from '../core/classify.ts';
import type { AttemptEvidence, FailureReported } from '../core/event.ts';
import { refusesRetry } from '../core/judgement.ts';
import { PolicyLayer } from '../core/policy-layer.ts';
import type { Failure } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { RunFailedBody, RunSucceededBody, TaskFailedBody } from './callback-body.ts';
import { problemOf } from './field-errors.ts';

/** The run that a callback is about. @throws HttpProblem `invalid_body` */
export function runKeyOf(body: RunSucceededBody): RunKey {
  const dagRunId = body.dag_run_id ?? body.run_id ?? null;
  if (dagRunId === null) throw problemOf('invalid_body', [{ field: 'dag_run_id', message: 'is required' }]);
  if (body.run_id != null && body.run_id !== dagRunId) {
    throw problemOf('invalid_body', [{ field: 'run_id', message: 'must be the same as dag_run_id, or be left out' }]);
  }
  return { dagId: body.dag_id, dagRunId };
}

export function taskFailure(body: TaskFailedBody, nowMs: number): FailureReported {
  const mapIndex = body.map_index ?? null;
  const tryNumber = body.try_number ?? null;
  const id =
    body.task_instance_id == null
      ? `task:${body.task_id}|${mapIndex ?? -1}|${tryNumber ?? 0}`
      : `ti:${body.task_instance_id}`;
  const who = { id, taskId: body.task_id, mapIndex, tryNumber, operator: body.operator ?? null };
  return reported(body, { ...who, ...descriptionOf(body, null, nowMs) });
}

export function runFailure(body: RunFailedBody, nowMs: number): FailureReported {
  const { startedAtMs, clearNumber } = evidenceOf(body);
  const id = `run:${startedAtMs ?? clearNumber ?? ''}`;
  const who = { id, taskId: null, mapIndex: null, tryNumber: null, operator: null };
  return reported(body, { ...who, ...descriptionOf(body, body.reason ?? null, nowMs) });
}

type FailureBody = Omit<RunFailedBody, 'reason'>;

function reported(body: FailureBody, failure: Failure): FailureReported {
  // A refusal is about this failure; as a layer of policy it would outlive it.
  const override = failure.refused ? null : (body.retry ?? null);
  return { type: 'failure_reported', failure, evidence: evidenceOf(body), override };
}

type Description = Pick<Failure, 'exceptionType' | 'message' | 'failureClass' | 'failedAtMs' | 'logUrl' | 'refused'>;

function descriptionOf(body: FailureBody, runReason: string | null, nowMs: number): Description {
  const exceptionType = body.exception?.type ?? null;
  const message = body.exception?.message ?? null;
  return {
    exceptionType,
    message,
    failureClass: classify({ given: body.failure_class ?? null, runReason, exceptionType, message }),
    // A worker's clock may be ahead; core bounds what lies too far back.
    failedAtMs: Math.min(body.failed_at ?? nowMs, nowMs),
    logUrl: body.log_url ?? null,
    refused: refusesRetry(exceptionType, neverOnOf(body)),
  };
}

function neverOnOf({ retry }: FailureBody): readonly string[] {
  return retry == null ? [] : (PolicyLayer.parse(retry).never_on ?? []);
}

function evidenceOf({ dag_run: run }: FailureBody): AttemptEvidence {
  return {
    startedAtMs: run?.start_date ?? null,
    clearNumber: run?.clear_number ?? null,
    runType: run?.run_type ?? null,
  };
}
