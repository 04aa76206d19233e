import { taskFailed } from './callbacks.ts';
import { type Behaviour, behaviourOf } from './dag-definition.ts';
import { type Execution, nameOf, type Run, record, type TaskInstance } from './run-state.ts';
import { settleRestarting, writeState } from './task-state.ts';
import { deliver, latency, type World } from './world.ts';

/** The processes that run tries of tasks. */
export interface Executions {
  /** Starts a process for a task instance that has just been queued. */
  start(run: Run, instance: TaskInstance): void;
  /** Ends the process of a task instance that was taken from it: soon, but not at once. */
  terminate(run: Run, instance: TaskInstance): void;
}

interface Dependencies {
  readonly world: World;
  readonly wakeScheduler: () => void;
}

/** One try of one task: the process and what it works on. */
interface Try {
  readonly run: Run;
  readonly instance: TaskInstance;
  readonly execution: Execution;
}

export function createExecutions(dependencies: Dependencies): Executions {
  const { timers, traits } = dependencies.world;
  return {
    start(run, instance) {
      const execution = createExecution(run, instance);
      instance.execution = execution;
      const startMs = latency(dependencies.world, 'taskStartMs');
      execution.cancelNext = timers.schedule(startMs, () => begin(dependencies, { run, instance, execution }));
    },
    terminate(run, instance) {
      const { execution } = instance;
      if (execution === null) return;
      if (execution.phase === 'starting') {
        execution.cancelNext();
        execution.phase = 'over';
        instance.execution = null;
        return;
      }
      timers.schedule(latency(dependencies.world, 'heartbeatMs'), () => {
        execution.toldToStop = true;
        timers.schedule(traits.killGraceMs, () => kill(dependencies, { run, instance, execution }));
      });
    },
  };
}

function begin(dependencies: Dependencies, attempt: Try): void {
  const { run, instance, execution } = attempt;
  const { timers } = dependencies.world;
  execution.phase = 'working';
  execution.startedAtMs = timers.nowMs();
  instance.startedAtMs = execution.startedAtMs;
  writeState(dependencies, run, instance, 'running');
  const behaviour = behaviourOf(instance.task, {
    dagId: run.dagId,
    dagRunId: run.dagRunId,
    taskId: instance.task.taskId,
    mapIndex: instance.mapIndex,
    tryNumber: execution.tryNumber,
    attempt: execution.attempt,
  });
  execution.cancelNext = timers.schedule(behaviour.durationMs, () => end(dependencies, attempt, behaviour));
}

function end(dependencies: Dependencies, attempt: Try, behaviour: Behaviour): void {
  const { world } = dependencies;
  const { execution } = attempt;
  switch (behaviour.outcome) {
    case 'succeed':
      report(dependencies, attempt, 'success');
      return;
    case 'fail':
      fail(dependencies, attempt, behaviour);
      return;
    case 'killed':
      execution.cancelNext = world.timers.schedule(latency(world, 'recordMs'), () =>
        report(dependencies, attempt, failureState(attempt)),
      );
      return;
    case 'lost':
      execution.cancelNext = world.timers.schedule(latency(world, 'zombieMs'), () =>
        noticeLoss(dependencies, attempt, behaviour),
      );
  }
}

function fail(dependencies: Dependencies, attempt: Try, behaviour: Extract<Behaviour, { outcome: 'fail' }>): void {
  const { world } = dependencies;
  const { run, instance, execution } = attempt;
  // Airflow 2 sees that the task was cleared, marked or skipped meanwhile, and calls nothing.
  if (world.traits.clearHidesFailureCallback && (instance.execution !== execution || instance.state !== 'running')) {
    execution.toldToStop = true;
    report(dependencies, attempt, 'failed');
    return;
  }
  if (failureState(attempt) === 'up_for_retry') {
    report(dependencies, attempt, 'up_for_retry');
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

/** The scheduler misses the heartbeats: it asks the dag processor for the callback and fails the task meanwhile. */
function noticeLoss(
  dependencies: Dependencies,
  attempt: Try,
  behaviour: Extract<Behaviour, { outcome: 'lost' }>,
): void {
  const { world } = dependencies;
  const { run } = attempt;
  const state = failureState(attempt);
  const calls = run.dag.callbacks.taskFailed && state === 'failed' ? behaviour.callbacks : 0;
  const callback = taskFailed({ ...attempt, behaviour }, world.traits, world.timers.nowMs());
  for (let call = 0; call < calls; call += 1) {
    const delayMs = call === 0 ? 0 : latency(world, 'dagCallbackMs');
    world.timers.schedule(delayMs, () => void deliver(world, run, callback));
  }
  world.timers.schedule(latency(world, 'recordMs'), () => report(dependencies, attempt, state));
}

function kill(dependencies: Dependencies, attempt: Try): void {
  const { execution } = attempt;
  if (execution.phase === 'over') return;
  execution.cancelNext();
  record(attempt.run, dependencies.world.timers.nowMs(), 'process_killed', nameOf(attempt.instance));
  report(dependencies, attempt, 'failed');
}

/** The process is gone: its result goes into the database if the task instance is still its own. */
function report(dependencies: Dependencies, attempt: Try, state: 'success' | 'failed' | 'up_for_retry'): void {
  const { run, instance, execution } = attempt;
  execution.phase = 'over';
  if (run.isDeleted || instance.execution !== execution) return;
  if (instance.state === 'restarting') {
    const how = state === 'success' ? 'success' : 'failed';
    settleRestarting(dependencies, run, instance, execution.toldToStop ? 'killed' : how);
    return;
  }
  instance.execution = null;
  // Set by hand, or skipped by a time-out: what was written there stays.
  if (instance.state === 'running') writeState(dependencies, run, instance, state);
}

function createExecution(run: Run, instance: TaskInstance): Execution {
  return {
    taskInstanceId: instance.id,
    tryNumber: instance.tryNumber,
    maxTries: instance.maxTries,
    attempt: run.attempts.length,
    clearNumber: run.clearNumber,
    runStartedAtMs: run.startedAtMs,
    startedAtMs: null,
    phase: 'starting',
    toldToStop: false,
    cancelNext: () => {},
  };
}

/** Decided by what the process was told at its start, not by what a clear has written since. */
function failureState({ instance, execution }: Try): 'failed' | 'up_for_retry' {
  return instance.task.retries > 0 && execution.tryNumber <= execution.maxTries ? 'up_for_retry' : 'failed';
}
