import { taskFailed } from './callbacks.ts';
import type { Behaviour, Vanishing } from './dag-definition.ts';
import { type Execution, isRunFinished, nameOf, type Run, record, type TaskInstance } from './run-state.ts';
import { settleRestarting, type TaskStateContext, writeState } from './task-state.ts';
import { deliver, latency, type World } from './world.ts';

/** One try of one task: the process and what it works on. */
export interface Try {
  readonly run: Run;
  readonly instance: TaskInstance;
  readonly execution: Execution;
}

/** The process of a try comes to its end, by itself or not. */
export function endProcess(dependencies: TaskStateContext, attempt: Try, behaviour: Behaviour): void {
  switch (behaviour.outcome) {
    case 'succeed':
      report(dependencies, attempt, 'success');
      return;
    case 'fail':
      fail(dependencies, attempt, behaviour);
      return;
    case 'killed':
    case 'lost':
      vanish(dependencies, attempt, behaviour);
  }
}

function fail(dependencies: TaskStateContext, attempt: Try, behaviour: Extract<Behaviour, { outcome: 'fail' }>): void {
  const { world } = dependencies;
  const { run, instance, execution } = attempt;
  const isHidden = world.traits.processOwnsRow && instance.state === 'restarting';
  const isFinal = behaviour.exceptionType.split('.').at(-1) === 'AirflowFailException';
  const state = isHidden ? 'up_for_retry' : isFinal ? 'failed' : failureState(attempt, world);
  if (state === 'up_for_retry') {
    // A cleared task of Airflow 2 counts as one that is killed, so that only a retry callback hears of it.
    execution.toldToStop ||= isHidden;
    report(dependencies, attempt, state);
    return;
  }
  execution.phase = 'reporting';
  const calls = run.dag.callbacks.taskFailed ? behaviour.callbacks : 0;
  const callback = taskFailed({ ...attempt, behaviour }, world.traits, world.timers.nowMs());
  // The task instance is still `running` in the database: FAILED follows when the process is gone.
  const delivered = Promise.all(Array.from({ length: calls }, () => deliver(world, run, callback)));
  const proceed = () => {
    if (execution.phase !== 'reporting') return;
    cancelLimit();
    execution.phase = 'over';
    world.timers.schedule(latency(world, 'recordMs'), () => report(dependencies, attempt, 'failed'));
  };
  const cancelLimit = world.timers.schedule(latency(world, 'callbackLimitMs'), proceed);
  void delivered.then(proceed);
}

/** The process is gone without a word: when that is noticed, the dag processor may call back in its place. */
function vanish(dependencies: TaskStateContext, attempt: Try, behaviour: Vanishing): void {
  const { world } = dependencies;
  const { run, instance, execution } = attempt;
  const { killedCallbacks, lostCallbacks } = world.traits;
  const isLost = behaviour.outcome === 'lost';
  const notice = () => {
    const state = failureState(attempt, world);
    const isOwn = instance.execution === execution && instance.state === 'running';
    const expected = behaviour.callbacks ?? (isLost ? lostCallbacks : killedCallbacks);
    // Airflow 3's supervisor sees its process die and tells of a failure like any other.
    if (isOwn && (isLost || killedCallbacks > 0)) noteLoss(world, run, instance);
    const calls = run.dag.callbacks.taskFailed && isOwn && state === 'failed' ? expected : 0;
    const callback = taskFailed({ ...attempt, behaviour }, world.traits, world.timers.nowMs());
    for (let call = 0; call < calls; call += 1) {
      const delayMs = call === 0 ? 0 : latency(world, 'dagCallbackMs');
      world.timers.schedule(delayMs, () => void deliver(world, run, callback));
    }
    execution.cancelNext = world.timers.schedule(latency(world, 'recordMs'), () =>
      report(dependencies, attempt, state),
    );
  };
  if (isLost) execution.cancelNext = world.timers.schedule(latency(world, 'zombieMs'), notice);
  else notice();
}

/** The scheduler's own row in the audit log. */
function noteLoss({ audit }: World, { dagId, dagRunId }: Run, { task, mapIndex, tryNumber }: TaskInstance): void {
  audit.add({ event: 'heartbeat timeout', dagId, dagRunId, taskId: task.taskId, mapIndex, tryNumber });
}

export function killProcess(dependencies: TaskStateContext, attempt: Try): void {
  const { run, instance, execution } = attempt;
  if (execution.phase === 'over') return;
  execution.cancelNext();
  execution.phase = 'over';
  const nowMs = dependencies.world.timers.nowMs();
  record(run, nowMs, 'process_killed', nameOf(instance));
  moveEnd(dependencies.world, run, nowMs);
  if (run.isDeleted || instance.execution !== execution) return;
  instance.execution = null;
  if (instance.state === 'restarting') settleRestarting(dependencies, run, instance, 'killed');
}

/** The process is gone: its result goes into the database, in Airflow 3 only if the task instance is still its own. */
function report(dependencies: TaskStateContext, attempt: Try, state: 'success' | 'failed' | 'up_for_retry'): void {
  const { run, instance, execution } = attempt;
  const { processOwnsRow } = dependencies.world.traits;
  execution.phase = 'over';
  if (run.isDeleted) return;
  const isOwn = instance.execution === execution;
  if (isOwn && instance.state === 'restarting') {
    const how = state === 'success' ? 'success' : 'failed';
    settleRestarting(dependencies, run, instance, execution.toldToStop ? howWhenTold(how, processOwnsRow) : how);
    return;
  }
  if (isOwn) instance.execution = null;
  // Otherwise set by hand, skipped by a time-out, or another try's: Airflow 3 leaves what is there.
  const mayWrite = processOwnsRow || (isOwn && instance.state === 'running');
  if (mayWrite) writeState(dependencies, run, instance, state);
  moveEnd(dependencies.world, run, dependencies.world.timers.nowMs());
}

/** Airflow 3 no longer asks how a process ended that was told to stop; that of Airflow 2 may still report success. */
function howWhenTold(how: 'success' | 'failed', processOwnsRow: boolean): 'success' | 'killed' {
  return processOwnsRow && how === 'success' ? 'success' : 'killed';
}

/** A process that outlives its run moves the run's end in Airflow 2. */
function moveEnd(world: World, run: Run, nowMs: number): void {
  if (!world.traits.processOwnsRow || run.isDeleted || !isRunFinished(run)) return;
  run.endedAtMs = nowMs;
  run.updatedAtMs = nowMs;
}

/** Airflow 3 decides by what the process was told at its start, Airflow 2 by what a clear may have written since. */
function failureState({ instance, execution }: Try, { traits }: World): 'failed' | 'up_for_retry' {
  const { tryNumber, maxTries } = traits.processOwnsRow ? instance : execution;
  return instance.task.retries > 0 && tryNumber <= maxTries ? 'up_for_retry' : 'failed';
}
