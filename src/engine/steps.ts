import type { Observed } from '../core/event.ts';
import { needsEvidence } from '../core/evidence.ts';
import { isSelected } from '../core/judgement.ts';
import { pauseOf } from '../core/pause.ts';
import type { RetryPolicy } from '../core/policy.ts';
import type { Reason } from '../core/reason.ts';
import { type RecordIn, type RunRecord, sameFingerprint } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import { isRegularLook, maxAgeMs } from '../core/transition/watch-times.ts';
import type { Orchestrator, RunObservation } from '../orchestrator/port.ts';
import type { Versioned } from '../store/port.ts';
import type { ActiveRuns } from './active-runs.ts';
import { type ClearSenderDeps, createClearSender } from './clear-sender.ts';
import type { EvidenceReader } from './evidence.ts';
import { changeFields, runFields } from './log-fields.ts';
import type { Applied, SwapLoop } from './swap-loop.ts';

/** Why something could not be found out. */
interface Trouble {
  readonly reason: string;
  readonly detail?: string;
}

export interface StepDeps extends ClearSenderDeps {
  readonly swapLoop: SwapLoop;
  readonly orchestrator: Orchestrator;
  readonly evidence: EvidenceReader;
  readonly activeRuns: ActiveRuns;
}

/** Moves one record on by one look at the orchestrator. */
export interface Stepper {
  /** `current` must just have been taken: what is read now is applied to this version or not at all. */
  step(key: RunKey, current: Versioned<RunRecord>): Promise<void>;
}

export function createStepper(deps: StepDeps): Stepper {
  const { swapLoop, orchestrator, clock, log, telemetry } = deps;
  const sender = createClearSender(deps);

  function warn(key: RunKey, { attempt }: RunRecord, trouble: Trouble, message: string): void {
    const { reason, detail } = trouble;
    log.warn(runFields(key, { attempt, decision: 'undecided', reason }, { detail }), message);
  }

  /** Read anew: somebody may have paused the Dag just now, and then nothing must be cleared. */
  async function isPaused({ dagId }: RunKey): Promise<boolean> {
    return pauseOf(dagId, await deps.pauses.read()) !== null;
  }

  /** Whether a retry is due that must wait. Without knowing, nothing is looked at either: the look is what clears. */
  async function mustWait(key: RunKey, record: RunRecord): Promise<boolean> {
    return record.phase === 'waiting' && clock.nowMs() >= record.retryAtMs && (await isPaused(key));
  }

  /** A watched attempt that still runs, where a list tells: that can only put off the next look. */
  async function findActive(key: RunKey, record: RunRecord): Promise<Observed | null> {
    if (record.phase !== 'watching' || record.failures.length > 0 || record.checks > 0) return null;
    const { timing } = await deps.policies.rulesFor(key.dagId, record.override);
    // A callback, a person or an earlier look that asked for this one has seen more than a list that may be older.
    if (!isRegularLook(key, timing, record.dueAtMs)) return null;
    const run = await deps.activeRuns.find(key, record.clearedAtMs, maxAgeMs(timing));
    if (run === null) return null;
    telemetry.observed('found', 'listed');
    return { type: 'observed', observation: run };
  }

  async function observe(key: RunKey, record: RunRecord): Promise<Observed> {
    // Without the Dag's tags nobody knows whether it may be retried: the same as not being able to look.
    if (!(await deps.policies.refresh(key.dagId))) {
      const reason = 'tags_not_known';
      warn(key, record, { reason }, "the Dag's tags could not be read: nothing is decided without them");
      return { type: 'observed', observation: { type: 'unavailable', reason, retryAfterMs: null } };
    }
    // A process may be suspended at any of these reads: the oldest of them says how fresh the look is.
    const askedAtMs = clock.nowMs();
    // Before the run itself is read: between that read and the clear there must be no other.
    const evidence = needsEvidence(record, clock.nowMs()) ? await deps.evidence.read(key, record) : undefined;
    if (evidence !== undefined && 'reason' in evidence) {
      const { reason, retryAfterMs } = evidence;
      warn(key, record, evidence, 'the evidence of earlier clears could not be read: no clear without it');
      return { type: 'observed', observation: { type: 'unavailable', reason, retryAfterMs } };
    }
    const observation = await orchestrator.observe(key);
    const reason = observation.type === 'unavailable' ? observation.reason : 'ok';
    telemetry.observed(observation.type, reason);
    if (observation.type === 'unavailable') warn(key, record, observation, 'the orchestrator gave no usable answer');
    const { policy } = await deps.policies.rulesFor(key.dagId, record.override);
    const seen = { type: 'observed', askedAtMs, observation, ...(evidence === undefined ? {} : { evidence }) } as const;
    if (!lacksTasks(record, observation, policy)) return seen;
    const failed = await orchestrator.failedTasks(key);
    if (failed.type === 'found') return { ...seen, failedTasks: failed.tasks };
    warn(key, record, failed, 'failed tasks could not be read');
    // Where the policy asks which task failed, nothing is decided without knowing.
    return { ...seen, observation: selectsTasks(policy) ? failed : observation };
  }

  function tell(key: RunKey, applied: Applied): void {
    const { before, next, reason } = applied;
    telemetry.stepped(reason);
    const fields = changeFields(key, applied);
    if (next?.phase === before?.phase && applied.command === null) log.debug(fields, reason);
    else if (isGivenUp(next) && !hasEnded(reason) && reason !== 'would_have_retried') log.error(fields, 'gave up');
    else log.info(fields, reason);
  }

  /** Sends the clear that the won swap asked for. */
  async function sendClear(key: RunKey, record: RecordIn<'clearing'>): Promise<void> {
    const outcome = await sender.send(key, record);
    if (outcome === null) return;
    const applied = await swapLoop.apply(key, { type: 'clear_answered', clear: record.clearsSent, outcome });
    tell(key, applied);
  }

  return {
    async step(key, current) {
      const { value: record } = current;
      const isExpired = record.phase === 'gave_up' && clock.nowMs() >= record.expiresAtMs;
      const event = isExpired
        ? ({ type: 'time_passed' } as const)
        : (await mustWait(key, record))
          ? ({ type: 'paused' } as const)
          : ((await findActive(key, record)) ?? (await observe(key, record)));
      const applied = await swapLoop.applyTo(key, current, event);
      // Somebody else changed the record meanwhile: what was read may be older than that, so it counts for nothing.
      if (applied === null) return;
      tell(key, applied);
      if (applied.command === 'send_clear' && applied.next?.phase === 'clearing') await sendClear(key, applied.next);
    },
  };
}

function isGivenUp(record: RunRecord | null): boolean {
  return record?.phase === 'giving_up' || record?.phase === 'gave_up';
}

function hasEnded(reason: Reason): boolean {
  return reason === 'run_succeeded' || reason === 'run_missing';
}

/** Whether the run has failed and no callback has told of a task that counts: others may have died without a word. */
function lacksTasks(record: RunRecord, observation: RunObservation, policy: RetryPolicy): boolean {
  if (observation.type !== 'found' || observation.state !== 'failed') return false;
  switch (record.phase) {
    case 'confirming':
    case 'watching':
      return !record.failures.some((failure) => failure.taskId !== null && isSelected(policy, failure));
    case 'waiting':
    case 'giving_up':
    case 'gave_up':
      // Another attempt than the one that is known: a person's.
      return record.fingerprint !== null && !sameFingerprint(record.fingerprint, observation.fingerprint);
    case 'clearing':
      return false;
  }
}

function selectsTasks(policy: RetryPolicy): boolean {
  return policy.onlyTasks !== null || policy.ignoreTasks.length > 0 || policy.ignoreOperators.length > 0;
}
