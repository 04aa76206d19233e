import { runFailed, runSucceeded } from './callbacks.ts';
import type { Dag } from './dag-definition.ts';
import type { Executions } from './executions.ts';
import { finishRun, isFailure, isFinished, type Run, record, type TaskInstance } from './run-state.ts';
import { writeState } from './task-state.ts';
import { leavesOf, verdictOf } from './trigger-rules.ts';
import { deliver, latency, type World } from './world.ts';

export interface Scheduler {
  /** Something has changed: look at the runs soon. */
  wake(): void;
}

interface Dependencies {
  readonly world: World;
  readonly executions: () => Executions;
}

export function createScheduler({ world, executions }: Dependencies): Scheduler {
  let pending = false;
  const looksLater = new Set<Run>();
  const context = { world, wakeScheduler: () => wake() };

  // Not a loop that runs for ever, so that virtual time can come to rest: it looks after each change.
  const wake = () => {
    if (pending) return;
    pending = true;
    world.timers.schedule(latency(world, 'schedulerMs'), () => {
      pending = false;
      look();
    });
  };

  const look = () => {
    startQueuedRuns(world, wake);
    for (const run of world.active) {
      if (run.state !== 'running') continue;
      if (run.dag.isPaused) lookLater(run);
      else schedule(run);
    }
  };

  const schedule = (run: Run) => {
    if (hasTimedOut(run, world.timers.nowMs())) return timeOut(context, executions(), run);
    const ready = update(context, run);
    for (const instance of ready) queue(context, executions(), run, instance);
  };

  /** The state of a paused Dag's runs is still brought up to date, but seldom, and none of their tasks is started. */
  const lookLater = (run: Run) => {
    if (isUpToDate(run) || looksLater.has(run)) return;
    looksLater.add(run);
    world.timers.schedule(latency(world, 'pausedMs'), () => {
      looksLater.delete(run);
      if (!run.isDeleted && run.dag.isPaused && run.state === 'running') update(context, run);
    });
  };

  return { wake };
}

type Context = Parameters<typeof writeState>[0];

/** Runs wait in `queued` while their Dag is paused or has as many running as it may. */
function startQueuedRuns(world: World, wake: () => void): void {
  const nowMs = world.timers.nowMs();
  const running = new Map<Dag, number>();
  for (const run of world.active) if (run.state === 'running') running.set(run.dag, (running.get(run.dag) ?? 0) + 1);
  const queued = [...world.active].filter((run) => run.state === 'queued' && !run.dag.isPaused);
  for (const run of queued.sort((a, b) => a.runAfterMs - b.runAfterMs || a.id - b.id)) {
    const count = running.get(run.dag) ?? 0;
    if (count >= run.dag.maxActiveRuns) continue;
    running.set(run.dag, count + 1);
    run.state = 'running';
    run.startedAtMs = nowMs;
    run.updatedAtMs = nowMs;
    const attempt = run.attempts.at(-1);
    if (attempt !== undefined) attempt.startedAtMs = nowMs;
    record(run, nowMs, 'run_running');
    if (run.dag.dagrunTimeoutMs !== null) world.timers.schedule(run.dag.dagrunTimeoutMs + 1, wake);
  }
}

/** Applies the trigger rules and finishes the run if nothing is left to do; returns what can run now. */
function update(context: Context, run: Run): TaskInstance[] {
  const nowMs = context.world.timers.nowMs();
  run.lastSchedulingDecisionMs = nowMs;
  run.updatedAtMs = nowMs;
  const unfinished = run.taskInstances.filter((instance) => !isFinished(instance.state));
  if (unfinished.length === 0) {
    finish(context, run);
    return [];
  }
  const ready: TaskInstance[] = [];
  for (const instance of unfinished) {
    if (instance.state !== null && !isRetryDue(instance, nowMs)) continue;
    const verdict = verdictOf(run, instance);
    if (verdict === 'ready') ready.push(instance);
    else if (verdict !== 'wait') {
      instance.startedAtMs = nowMs;
      // The run itself ends one look later, as in Airflow.
      writeState(context, run, instance, verdict);
    }
  }
  return ready;
}

function isRetryDue(instance: TaskInstance, nowMs: number): boolean {
  return instance.state === 'up_for_retry' && instance.retryAtMs !== null && nowMs >= instance.retryAtMs;
}

function queue(context: Context, executions: Executions, run: Run, instance: TaskInstance): void {
  const nowMs = context.world.timers.nowMs();
  instance.tryNumber += 1;
  instance.retryAtMs = null;
  instance.scheduledAtMs = nowMs;
  instance.queuedAtMs = nowMs;
  writeState(context, run, instance, 'queued');
  executions.start(run, instance);
}

/** Only the leaves count: a failed task need not fail the run. */
function finish(context: Context, run: Run): void {
  const { world } = context;
  const nowMs = world.timers.nowMs();
  const hasFailed = leavesOf(run).some((instance) => isFailure(instance.state));
  finishRun(run, hasFailed ? 'failed' : 'success', nowMs, hasFailed ? 'task_failure' : 'success');
  world.active.delete(run);
  context.wakeScheduler();
  const { callbacks } = run.dag;
  if (hasFailed && callbacks.runFailed) deliverLater(world, run, runFailed(run, 'task_failure', world.traits, nowMs));
  if (!hasFailed && callbacks.runSucceeded) deliverLater(world, run, runSucceeded(run));
}

function hasTimedOut(run: Run, nowMs: number): boolean {
  const { dagrunTimeoutMs } = run.dag;
  return dagrunTimeoutMs !== null && run.startedAtMs !== null && nowMs - run.startedAtMs > dagrunTimeoutMs;
}

/** `dagrun_timeout`: what has not finished is skipped, so that nothing of the run need have failed. */
function timeOut(context: Context, executions: Executions, run: Run): void {
  const { world } = context;
  const nowMs = world.timers.nowMs();
  for (const instance of run.taskInstances) {
    if (isFinished(instance.state)) continue;
    executions.terminate(run, instance);
    writeState(context, run, instance, 'skipped');
  }
  finishRun(run, 'failed', nowMs, 'timed_out');
  world.active.delete(run);
  if (run.dag.callbacks.runFailed) deliverLater(world, run, runFailed(run, 'timed_out', world.traits, nowMs));
}

/** Callbacks of a Dag run in the dag processor, apart from the scheduler and some time after it. */
function deliverLater(world: World, run: Run, callback: ReturnType<typeof runFailed>): void {
  world.timers.schedule(latency(world, 'dagCallbackMs'), () => {
    void deliver(world, run, callback);
  });
}

function isUpToDate(run: Run): boolean {
  const decidedAtMs = run.lastSchedulingDecisionMs ?? 0;
  return run.taskInstances.every((instance) => instance.updatedAtMs < decidedAtMs);
}
