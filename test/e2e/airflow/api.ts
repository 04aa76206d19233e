import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type EventLog, EventLogs, Health, ImportErrors, Run, type TaskInstance, TaskInstances } from './answers.ts';
import { type Credentials, createAirflowHttp, type Reply } from './http.ts';
import type { AirflowVersion } from './settings.ts';

const WAIT_MS = 300_000;

/** Airflow's own REST API as far as tests need it, in the same words for Airflow 2 and 3. */
export interface AirflowApi {
  readonly version: AirflowVersion;
  trigger(dagId: string, runId: string, conf?: Record<string, unknown>): Promise<Run>;
  setPaused(dagId: string, paused: boolean): Promise<void>;
  /** Null when there is no such run. */
  run(dagId: string, runId: string): Promise<Run | null>;
  taskInstances(dagId: string, runId: string): Promise<TaskInstance[]>;
  /** Every try of one task, oldest first. */
  tries(dagId: string, runId: string, taskId: string): Promise<TaskInstance[]>;
  /** The audit log of one run, oldest first. */
  eventLogs(dagId: string, runId: string): Promise<EventLog[]>;
  /** The clears that were asked for, by whomever and however (dry runs left out), oldest first. */
  clears(dagId: string, runId: string): Promise<EventLog[]>;
  setRunState(dagId: string, runId: string, state: 'success' | 'failed' | 'queued'): Promise<Run>;
  clear(dagId: string, runId: string, options?: { onlyFailed?: boolean }): Promise<void>;
  deleteRun(dagId: string, runId: string): Promise<void>;
  /** Resolves with the run once `reached` holds; rejects after five minutes with what it was at last. */
  waitForRun(dagId: string, runId: string, reached: (run: Run) => boolean): Promise<Run>;
  health(): Promise<Health>;
  importErrors(): Promise<string[]>;
  isParsed(dagId: string): Promise<boolean>;
  /** Anything else; `path` is below the API's base. */
  send(method: string, path: string, body?: unknown): Promise<Reply>;
}

export function createAirflowApi(options: Credentials & { version: AirflowVersion; url: string }): AirflowApi {
  const isV1 = options.version.startsWith('2.');
  const { send, read } = createAirflowHttp({ ...options, base: isV1 ? '/api/v1' : '/api/v2' });

  async function run(dagId: string, runId: string): Promise<Run | null> {
    const reply = await send('GET', runPath(dagId, runId));
    if (reply.status === 404) return null;
    if (reply.status !== 200) throw new Error(`run ${dagId} ${runId} was answered ${reply.status}`);
    return Run.parse(reply.body);
  }

  async function eventLogs(dagId: string, runId: string): Promise<EventLog[]> {
    // Airflow 2 leaves the run's id out of some entries, so they cannot be asked for by run.
    const path = `/eventLogs?dag_id=${encodeURIComponent(dagId)}&limit=100&order_by=-event_log_id`;
    const logs = await read(EventLogs, 'GET', path);
    return logs.filter((log) => log.runId === runId).reverse();
  }

  return {
    version: options.version,
    send,
    run,
    eventLogs,
    trigger: (dagId, runId, conf = {}) =>
      read(Run, 'POST', `/dags/${encodeURIComponent(dagId)}/dagRuns`, {
        dag_run_id: runId,
        conf,
        ...(isV1 ? {} : { logical_date: null }),
      }),
    async setPaused(dagId, paused) {
      await read(z.unknown(), 'PATCH', `/dags/${encodeURIComponent(dagId)}?update_mask=is_paused`, {
        is_paused: paused,
      });
    },
    taskInstances: (dagId, runId) => read(TaskInstances, 'GET', `${runPath(dagId, runId)}/taskInstances`),
    tries: (dagId, runId, taskId) =>
      read(TaskInstances, 'GET', `${runPath(dagId, runId)}/taskInstances/${encodeURIComponent(taskId)}/tries`),
    async clears(dagId, runId) {
      const events = ['clear_dag_run', 'post_clear_task_instances'];
      const logs = await eventLogs(dagId, runId);
      return logs.filter((log) => events.includes(log.event) && log.extra['dry_run'] === false);
    },
    setRunState: (dagId, runId, state) => read(Run, 'PATCH', runPath(dagId, runId), { state }),
    async clear(dagId, runId, { onlyFailed = false } = {}) {
      if (isV1 && onlyFailed) {
        const body = { dry_run: false, dag_run_id: runId, only_failed: true, reset_dag_runs: true };
        await read(z.unknown(), 'POST', `/dags/${encodeURIComponent(dagId)}/clearTaskInstances`, body);
      } else {
        const body = { dry_run: false, ...(onlyFailed ? { only_failed: true } : {}) };
        await read(z.unknown(), 'POST', `${runPath(dagId, runId)}/clear`, body);
      }
    },
    async deleteRun(dagId, runId) {
      await read(z.unknown(), 'DELETE', runPath(dagId, runId));
    },
    async waitForRun(dagId, runId, reached) {
      const deadline = Date.now() + WAIT_MS;
      for (;;) {
        const now = await run(dagId, runId);
        if (now !== null && reached(now)) return now;
        if (Date.now() > deadline) throw new Error(`after ${WAIT_MS} ms the run is ${JSON.stringify(now)}`);
        // Airflow 2 needs a tenth of a second of the only worker for each look.
        await delay(250);
      }
    },
    health: () => read(Health, 'GET', isV1 ? '/health' : '/monitor/health'),
    importErrors: () => read(ImportErrors, 'GET', '/importErrors'),
    async isParsed(dagId) {
      return (await send('GET', `/dags/${encodeURIComponent(dagId)}/details`)).status === 200;
    },
  };
}

function runPath(dagId: string, runId: string): string {
  return `/dags/${encodeURIComponent(dagId)}/dagRuns/${encodeURIComponent(runId)}`;
}
