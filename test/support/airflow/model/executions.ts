import { behaviourOf } from './dag-definition.ts';
import { endProcess, killProcess, type Try } from './process-end.ts';
import type { Execution, Run, TaskInstance } from './run-state.ts';
import { type TaskStateContext, writeState } from './task-state.ts';
import { latency } from './world.ts';

/** The processes that run tries of tasks. */
export interface Executions {
  /** Starts a process for a task instance that has just been queued. */
  start(run: Run, instance: TaskInstance): void;
  /** Ends the process of a task instance that was taken from it: soon, but not at once. */
  terminate(run: Run, instance: TaskInstance): void;
}

export function createExecutions(dependencies: TaskStateContext): Executions {
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
        timers.schedule(traits.killGraceMs, () => killProcess(dependencies, { run, instance, execution }));
      });
    },
  };
}

function begin(dependencies: TaskStateContext, attempt: Try): void {
  const { run, instance, execution } = attempt;
  const { timers } = dependencies.world;
  if (instance.state !== 'queued') {
    // Something else was written into the row since: the process finds that it has nothing to do.
    execution.phase = 'over';
    return;
  }
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
  execution.cancelNext = timers.schedule(behaviour.durationMs, () => endProcess(dependencies, attempt, behaviour));
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
