import { DagainError } from '../../../src/core/errors.ts';
import type { FailureReported, Operated, SuccessReported } from '../../../src/core/event.ts';
import type { RunKey } from '../../../src/core/run-key.ts';
import { createDagTags } from '../../../src/engine/dag-tags.ts';
import { createEngine, type EngineDeps } from '../../../src/engine/engine.ts';
import { createPolicies, type PolicyDocument } from '../../../src/engine/policies.ts';
import type { WorkerSettings } from '../../../src/engine/worker.ts';
import { RunFailedBody, RunSucceededBody, TaskFailedBody } from '../../../src/http/callback-body.ts';
import { runFailure, runKeyOf, taskFailure } from '../../../src/http/callback-event.ts';
import { createAirflow } from '../../../src/orchestrator/airflow/airflow.ts';
import type { Orchestrator } from '../../../src/orchestrator/port.ts';
import type { RunStore } from '../../../src/store/port.ts';
import type { AirflowApi } from '../../support/airflow/api/api.ts';
import { createAirflowDispatcher } from '../../support/airflow/dispatcher.ts';
import type { Callback } from '../../support/airflow/model/callbacks.ts';
import type { Timers } from '../../support/timers.ts';
import type { Journal } from '../journal.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Life } from './life.ts';
import { createSimLog, createSimTelemetry } from './observers.ts';

/** The user as whom the service clears, and whom nobody else is. */
export const OUR_USER = 'dagain';
export const OUR_PASSWORD = 'secret';

export interface ReplicaDeps {
  readonly life: Life;
  readonly timers: Timers;
  readonly skewMs: number;
  readonly random: () => number;
  readonly journal: Journal;
  readonly scenario: Scenario;
  readonly store: RunStore;
  readonly airflow: Pick<AirflowApi, 'handle'>;
  readonly channels: EngineDeps['channels'];
  readonly document: () => PolicyDocument;
  readonly worker: WorkerSettings;
}

/** One process of the service: the engine as `app.ts` puts it together, on the simulation's parts. */
export interface Replica {
  /** What its HTTP server answers; never settles where the process dies meanwhile. */
  report(callback: Callback): Promise<number>;
  /** Does what an operator asks for. */
  act(key: RunKey, event: Operated): Promise<void>;
  /** Pauses or resumes a Dag, or everything. */
  pause(scope: string, action: 'pause' | 'resume'): Promise<void>;
  /** As on SIGTERM. */
  stop(): Promise<void>;
  nowMs(): number;
}

export function startReplica(deps: ReplicaDeps): Replica {
  const { life, timers, skewMs, journal } = deps;
  const nowMs = () => timers.nowMs() + skewMs;
  const clock = { nowMs, schedule: (delayMs: number, run: () => void) => life.schedule(delayMs, run) };
  const log = createSimLog(life, journal);
  const orchestrator = createOrchestrator(deps, clock);
  const policies = createPolicies({
    current: deps.document,
    timing: deps.scenario.timing,
    alertChannels: deps.channels.map((channel) => channel.name),
    tags: createDagTags({ orchestrator, clock, log }),
  });
  const { store, channels, random } = deps;
  const telemetry = createSimTelemetry(journal);
  const parts = { store, orchestrator, channels, policies, clock, random, log, telemetry };
  const engine = createEngine({ ...parts, workerSettings: deps.worker });
  const inFlight = new Set<Promise<unknown>>();
  let isClosing = false;

  async function take(callback: Callback): Promise<number> {
    if (isClosing) return 503;
    const [key, event] = read(callback, nowMs());
    journal.tell({ type: 'reported', by: life.name, key, callback });
    try {
      const { decision } = await engine.intake.report(key, event);
      journal.tell({ type: 'accepted', by: life.name, key, callback, decision });
      return 202;
    } catch (error) {
      journal.tell({ type: 'refused', by: life.name, key, callback });
      if (error instanceof DagainError) return 503;
      throw error;
    }
  }

  async function operate(key: RunKey, event: Operated): Promise<number> {
    if (isClosing) return 503;
    const { action } = event;
    journal.tell({ type: 'operating', by: life.name, key, action });
    const answer = await engine.desk.operations.act(key, event).catch(() => ({ decision: 'no answer' }));
    journal.tell({ type: 'answered', by: life.name, key, action, decision: answer.decision });
    return 200;
  }

  async function setPause(scope: string, action: 'pause' | 'resume'): Promise<number> {
    if (isClosing) return 503;
    const { pauses } = engine.desk;
    const outcome = await pauses.set({ scope, action, actor: 'olga', comment: '' }).catch(() => null);
    const said = outcome === null ? 'no answer' : outcome.changed ? 'done' : 'as it was';
    journal.tell({ type: 'note', text: `${life.name} operator: ${action} of ${scope}: ${said}` });
    return 200;
  }

  /** One request to the HTTP server. */
  function request(handle: () => Promise<number>): Promise<number> {
    return new Promise((resolve, reject) => {
      life.enter(() => {
        const handled = handle().finally(() => inFlight.delete(handled));
        inFlight.add(handled);
        handled.then(resolve, reject);
      }, true);
    });
  }

  life.enter(() => engine.start());
  return {
    nowMs,
    // A copy, by which this delivery is known.
    report: (callback) => request(() => take({ ...callback })),
    async act(key, event) {
      await request(() => operate(key, event));
    },
    async pause(scope, action) {
      await request(() => setPause(scope, action));
    },
    stop: () =>
      new Promise((resolve) => {
        life.enter(() => {
          isClosing = true;
          void Promise.allSettled(inFlight)
            .then(() => engine.stop())
            .then(resolve);
        });
      }),
  };
}

function createOrchestrator({ life, airflow }: ReplicaDeps, clock: { nowMs(): number }): Orchestrator {
  const adapter = createAirflow({
    url: 'http://airflow.test',
    credentials: { type: 'password', username: OUR_USER, password: OUR_PASSWORD },
    clock,
    dispatcher: createAirflowDispatcher(airflow),
  });
  return {
    ...adapter,
    observe: (key) => life.through('airflow.observe', () => adapter.observe(key)),
    clear: (key, request) => life.through('airflow.clear', () => adapter.clear(key, request)),
    describeDag: (dagId) => life.through('airflow.describeDag', () => adapter.describeDag(dagId)),
    failedTasks: (key) => life.through('airflow.failedTasks', () => adapter.failedTasks(key)),
  };
}

/** As the routes of the HTTP server do. */
function read({ type, body }: Callback, nowMs: number): [RunKey, FailureReported | SuccessReported] {
  const json: unknown = JSON.parse(JSON.stringify(body));
  switch (type) {
    case 'task-failed': {
      const parsed = TaskFailedBody.parse(json);
      return [runKeyOf(parsed), taskFailure(parsed, nowMs)];
    }
    case 'run-failed': {
      const parsed = RunFailedBody.parse(json);
      return [runKeyOf(parsed), runFailure(parsed, nowMs)];
    }
    case 'run-succeeded':
      return [runKeyOf(RunSucceededBody.parse(json)), { type: 'success_reported' }];
  }
}
