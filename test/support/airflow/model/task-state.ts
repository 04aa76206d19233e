import { isFinished, nameOf, type Run, record, type TaskInstance, type TaskState } from './run-state.ts';
import { uuid7 } from './seeded-random.ts';
import type { World } from './world.ts';

export interface TaskStateContext {
  readonly world: World;
  readonly wakeScheduler: () => void;
}

/** Writes what the end of a try, or the scheduler, says of a task instance. */
export function writeState(context: TaskStateContext, run: Run, instance: TaskInstance, state: TaskState): void {
  const { world, wakeScheduler } = context;
  const nowMs = world.timers.nowMs();
  const isEnd = isFinished(state) || state === 'up_for_retry';
  if (isEnd) instance.endedAtMs = nowMs;
  if (state === 'up_for_retry') {
    archive(world, instance);
    instance.retryAtMs = nowMs + instance.task.retryDelayMs;
    world.timers.schedule(instance.task.retryDelayMs, wakeScheduler);
  }
  instance.state = state;
  instance.updatedAtMs = nowMs;
  record(run, nowMs, `task_${state ?? 'reset'}`, `${nameOf(instance)} try ${instance.tryNumber}`);
  if (state === 'running' || isEnd) logTaskEvent(world, run, instance, state ?? 'none');
  if (isEnd) wakeScheduler();
}

function logTaskEvent(world: World, run: Run, instance: TaskInstance, event: string): void {
  world.audit.add({
    event,
    dagId: run.dagId,
    dagRunId: run.dagRunId,
    taskId: instance.task.taskId,
    mapIndex: instance.mapIndex,
    tryNumber: instance.tryNumber,
    owner: 'airflow',
    extra: JSON.stringify({ host_name: 'worker' }),
  });
}

/** What becomes of a task instance that was cleared while its process lived, now that the process is gone. */
export function settleRestarting(
  context: TaskStateContext,
  run: Run,
  instance: TaskInstance,
  how: 'success' | 'failed' | 'killed',
): void {
  const { traits, timers } = context.world;
  const after = { success: traits.afterSuccess, failed: traits.afterFailure, killed: traits.afterKill }[how];
  instance.execution = null;
  switch (after) {
    case 'stuck':
      record(run, timers.nowMs(), 'task_stuck', nameOf(instance));
      return;
    case 'rescheduled':
      instance.maxTries = instance.tryNumber + instance.task.retries;
      writeState(context, run, instance, null);
      context.wakeScheduler();
      return;
    case 'up_for_retry':
    case 'failed':
    case 'success':
      writeState(context, run, instance, after);
  }
}

/** Puts the current try into the task's history; Airflow 3 then gives the task instance a new id. */
export function archive(world: World, instance: TaskInstance): void {
  const nowMs = world.timers.nowMs();
  const isKnown = instance.tries.some((archived) => archived.tryNumber === instance.tryNumber);
  if (instance.tryNumber > 0 && !isKnown) {
    const finished = isFinished(instance.state);
    instance.tries.push({
      taskInstanceId: instance.id,
      tryNumber: instance.tryNumber,
      maxTries: instance.maxTries,
      // An unfinished try counts as failed from here on.
      state: finished ? instance.state : 'failed',
      startedAtMs: instance.startedAtMs,
      endedAtMs: finished ? instance.endedAtMs : nowMs,
    });
  }
  if (world.traits.taskInstanceIds) instance.id = uuid7(nowMs, world.random);
}
