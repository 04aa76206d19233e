import type { Callback } from '../support/airflow/model/callbacks.ts';
import { type DagDefinition, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { type AirflowModel, type AirflowModelOptions, createAirflowModel } from '../support/airflow/model/model.ts';
import type { RunKey, TaskInstance } from '../support/airflow/model/run-state.ts';
import type { AirflowVersion } from '../support/airflow/model/versions.ts';
import { createVirtualTimers, type VirtualTimers } from '../support/timers.ts';

export const KEY: RunKey = { dagId: 'etl', dagRunId: 'manual__2026-01-01T00:00:00+00:00' };

/** One task that works, one after it that fails once, and one after that. */
export const FAILS_ONCE: DagDefinition = {
  dagId: 'etl',
  tasks: [
    { taskId: 'extract' },
    { taskId: 'load', upstream: ['extract'], script: [fail(), succeed()] },
    { taskId: 'publish', upstream: ['load'] },
  ],
};

export interface Scenario {
  readonly timers: VirtualTimers;
  readonly model: AirflowModel;
  readonly callbacks: (Callback & { readonly atMs: number })[];
  /** The task instance now. @throws Error when there is none. */
  task(taskId: string, key?: RunKey): TaskInstance;
  callbacksOf(type: Callback['type']): Callback[];
  untilRun(state: 'queued' | 'running' | 'success' | 'failed', key?: RunKey): Promise<void>;
  untilTask(taskId: string, state: TaskInstance['state'], key?: RunKey): Promise<void>;
  untilCallback(type: Callback['type'], count?: number): Promise<void>;
}

type Options = Partial<Omit<AirflowModelOptions, 'timers' | 'onCallback'>> & {
  readonly version?: AirflowVersion;
  readonly onCallback?: (callback: Callback, model: AirflowModel) => void | Promise<void>;
};

/** A simulated Airflow on virtual time that collects its callbacks. */
export function createScenario({
  version = '3.3',
  dags = [FAILS_ONCE],
  onCallback,
  ...options
}: Options = {}): Scenario {
  const timers = createVirtualTimers();
  const callbacks: Scenario['callbacks'] = [];
  const model = createAirflowModel({
    ...options,
    version,
    dags,
    timers,
    onCallback: (callback) => {
      callbacks.push({ ...callback, atMs: timers.nowMs() });
      return onCallback?.(callback, model);
    },
  });
  const task = (taskId: string, key = KEY) => {
    const found = model.run(key)?.taskInstances.find((instance) => instance.task.taskId === taskId);
    if (found === undefined) throw new Error(`there is no task instance ${taskId}`);
    return found;
  };
  const callbacksOf = (type: Callback['type']) => callbacks.filter((callback) => callback.type === type);
  return {
    timers,
    model,
    callbacks,
    task,
    callbacksOf,
    untilRun: (state, key = KEY) => timers.advanceUntil(() => model.stateOf(key) === state),
    untilTask: (taskId, state, key = KEY) => timers.advanceUntil(() => task(taskId, key).state === state),
    untilCallback: (type, count = 1) => timers.advanceUntil(() => callbacksOf(type).length >= count),
  };
}
