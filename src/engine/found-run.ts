import type { FailureReported } from '../core/event.ts';
import type { FailureClass } from '../core/policy.ts';
import type { RunRecord } from '../core/record.ts';
import type { Rules } from '../core/rules.ts';
import type { RunKey } from '../core/run-key.ts';
import { transition } from '../core/transition.ts';
import type { AuditTrail, FailedRun, FoundRun, Orchestrator } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import { ofLatestAttempt, whoStopped } from './evidence.ts';
import type { Log } from './log.ts';
import { changeFields, runFields } from './log-fields.ts';
import type { PolicySource } from './policy-source.ts';
import type { SwapLoop } from './swap-loop.ts';
import type { Telemetry } from './telemetry.ts';

/** The classes that a failure can have of which only the orchestrator has told. */
const CLASSES = ['task_error', 'infra'] as const satisfies readonly FailureClass[];

export interface FoundRunsDeps {
  readonly store: Pick<RunStore, 'load'>;
  readonly orchestrator: Pick<Orchestrator, 'auditTrail' | 'stoppedTasks'>;
  readonly policies: PolicySource;
  readonly swapLoop: Pick<SwapLoop, 'applyTo'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
  readonly telemetry: Telemetry;
}

/** Takes up failed runs of which nobody has told. */
export interface FoundRuns {
  /**
   * `passed`: there is nothing to do, or it is not up to us, and that cost no request for this run. `looked`: its audit
   * log was read, and it is done with. `later`: nobody could tell yet, so that it has to be found again.
   * @throws DagainError `store_unavailable`
   */
  take(found: FailedRun): Promise<'passed' | 'looked' | 'later'>;
}

export function createFoundRuns(deps: FoundRunsDeps): FoundRuns {
  const { store, orchestrator, policies, swapLoop, clock, log, telemetry } = deps;
  let isUntold = false;

  /** Retries fail closed: without the audit log, a run that a person has stopped would be started again. */
  function tellUntold(key: RunKey, detail: string): void {
    telemetry.foundFailed('audit_log_untold');
    const about = { attempt: null, decision: 'not_retryable', reason: 'audit_log_untold' } as const;
    // Each one is told of, but the first one loudly: the permission is missing for all of them.
    log[isUntold ? 'warn' : 'error'](
      runFields(key, about, { detail }),
      'not retried: the audit log does not tell whether a person has stopped it',
    );
    isUntold = true;
  }

  function leave(key: RunKey, fields: object): 'looked' {
    telemetry.foundFailed('stopped_by_person');
    const about = { attempt: null, decision: 'not_retryable', reason: 'stopped_by_person' } as const;
    log.info(runFields(key, about, fields), 'found failed, but a person has set it to failed: not retried');
    return 'looked';
  }

  async function report(
    { key, run }: FailedRun,
    current: Awaited<ReturnType<typeof store.load>>,
    trail: AuditTrail & { type: 'found' },
  ): Promise<'looked' | 'later'> {
    const isLost = ofLatestAttempt(trail.entries).some(({ action }) => action === 'task_lost');
    const event = failureOf(run, isLost ? 'infra' : 'task_error', clock.nowMs());
    const applied = await swapLoop.applyTo(key, current, event);
    // Somebody has told of it at this very moment.
    if (applied === null) return 'later';
    telemetry.foundFailed('taken_up');
    const { failureClass } = event.failure;
    log.info(changeFields(key, applied, { failure_class: failureClass }), 'found failed, and nobody had told');
    return 'looked';
  }

  return {
    async take(found) {
      const { key, run } = found;
      const current = await store.load(key);
      if (current !== null && !isNews(current.value, run)) return 'passed';
      if (!(await policies.refresh(key.dagId))) return 'later';
      const record = current?.value ?? null;
      const rules = await policies.rulesFor(key.dagId, record?.override ?? null);
      if (!wouldStart(key, record, run, rules, clock.nowMs())) return 'passed';
      const trail = await orchestrator.auditTrail(key);
      if (trail.type === 'unavailable') {
        if (trail.reason !== 'forbidden') return 'later';
        tellUntold(key, trail.detail);
        return 'looked';
      }
      if (!trail.isComplete && trail.entries.length === 0) {
        tellUntold(key, 'its entries cannot be read');
        return 'looked';
      }
      const by = whoStopped(trail.entries);
      if (by !== null) return leave(key, { by });
      const stopped = await orchestrator.stoppedTasks(key, run.fingerprint.startedAtMs ?? 0);
      if (stopped.type === 'unavailable') {
        if (stopped.reason !== 'forbidden') return 'later';
        tellUntold(key, stopped.detail);
        return 'looked';
      }
      isUntold = false;
      const tasks = stopped.tasks.map(({ taskId }) => taskId);
      // Airflow's lists of runs and tasks leave no entry that anybody could read.
      return tasks.length > 0 ? leave(key, { by: 'somebody', tasks }) : report(found, current, trail);
    },
  };
}

/**
 * Whether a failed run says something that its record does not find out by itself: while a retry is pending or an
 * attempt is watched, the run is looked at anyway. What has been given up can only have been restarted by a person.
 */
function isNews(record: RunRecord, { fingerprint: { startedAtMs } }: FoundRun): boolean {
  if (record.phase !== 'giving_up' && record.phase !== 'gave_up') return false;
  return startedAtMs !== null && startedAtMs > (record.fingerprint?.startedAtMs ?? record.gaveUpAtMs);
}

/** Whether the policy would retry it at all, so that a Dag without retries costs no request for each of its runs. */
function wouldStart(key: RunKey, record: RunRecord | null, run: FoundRun, rules: Rules, nowMs: number): boolean {
  return CLASSES.some((one) => transition(key, record, failureOf(run, one, nowMs), rules, nowMs).next !== record);
}

function failureOf({ fingerprint, runType }: FoundRun, failureClass: FailureClass, nowMs: number): FailureReported {
  const { startedAtMs, endedAtMs } = fingerprint;
  return {
    type: 'failure_reported',
    failure: {
      id: `found:${startedAtMs ?? endedAtMs ?? ''}`,
      taskId: null,
      mapIndex: null,
      tryNumber: null,
      operator: null,
      exceptionType: null,
      message: 'failed without a callback',
      failureClass,
      failedAtMs: Math.min(endedAtMs ?? nowMs, nowMs),
      logUrl: null,
      refused: false,
    },
    evidence: { startedAtMs, clearNumber: null, runType },
    override: null,
  };
}
