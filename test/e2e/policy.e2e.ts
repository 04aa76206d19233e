import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AirflowApi, createAirflowApi } from './airflow/api.ts';
import { POLICY_DAG_IDS } from './airflow/dags-folder.ts';
import { USERS } from './airflow/settings.ts';
import { type AlertReceiver, startAlertReceiver } from './alert-receiver.ts';
import { type Gate, startGate } from './gate.ts';
import type { Sidecar, View } from './sidecar.ts';
import { chosenVersions, OURS, type Stage, setStage } from './stage.ts';

/** Nothing is retried but for the Dags that say so; `cap` is what the test changes while the service runs. */
const policyFile = (cap: number | string) => `
defaults: { max_retries: 0, delay: 1s, backoff: none, jitter: none }
dags:
  - { match: again_all_tasks, max_retries: 1 }
  - { match: again_from_failure, max_retries: 1, strategy: from_failure }
  - { match: out_of_time, max_retries: 1, strategy: from_failure, delay: 6s }
  - { match: only_publish_tasks, max_retries: 1, only_tasks: ["publish_*"] }
  - { match: refuses_a_retry, max_retries: 3 }
  - { match: killed, max_retries: 1, max_retries_by_class: { infra: 1 } }
  - { match: dag_level_callbacks, max_retries: 1 }
  - { match: never_on_wrong_input, max_retries: 3, never_on: [WrongInput] }
  - { match: ignored_operator, max_retries: 3, ignore_operators: ["*PythonDecorated*"] }
  # Retries after 1 s and then after 11 s: time enough to change the file in between.
  - { match: cap_lowered_meanwhile, max_retries: ${cap}, delay: 1s, max_delay: 21s, backoff: ramp }
`;
const CAP = 3;

type Run = readonly [dagId: string, runId: string];
const runOf = (dagId: (typeof POLICY_DAG_IDS)[number], suffix = ''): Run => [
  dagId,
  `e2e_policy${suffix}__2026-11-21T06:00:00.000+00:00`,
];
const EXTRACT_FAILS = runOf('only_publish_tasks', '_extract');
const PUBLISH_FAILS = runOf('only_publish_tasks', '_publish_report');
const OTHER_RUNS = POLICY_DAG_IDS.filter((dagId) => dagId !== 'only_publish_tasks').map((dagId) => runOf(dagId));

describe.each(chosenVersions())('Airflow %s', (version) => {
  const isAirflow2 = version.startsWith('2.');
  let stage: Stage;
  let gate: Gate;
  let api: AirflowApi;
  let alerts: AlertReceiver;
  let sidecar: Sidecar;
  let policyPath: string;

  /** Every clear of the run in Airflow's audit log. */
  const clears = async (run: Run) =>
    (await api.clears(...run)).map(({ event, owner, extra }) => ({ event, owner, onlyFailed: extra['only_failed'] }));
  /** How often each task has run, over all attempts. */
  const tries = async (run: Run) =>
    Object.fromEntries((await api.taskInstances(...run)).map(({ taskId, tryNumber }) => [taskId, tryNumber]));
  const alertsOf = ([dagId, runId]: Run) =>
    alerts.accepted.filter((alert) => alert.dag_id === dagId && alert.dag_run_id === runId);
  const ended = ([dagId, runId]: Run, state: 'success' | 'failed') =>
    api.waitForRun(dagId, runId, (run) => run.state === state && run.endedAt !== null);
  /** Resolves once all alerts are out and only the tombstone is left. */
  const gaveUp = ([dagId, runId]: Run): Promise<View | null> =>
    sidecar.waitFor(dagId, runId, (view) => view?.phase === 'gave_up');

  /** The run has succeeded after retries, and nothing of it is kept. */
  async function recovered(run: Run): Promise<void> {
    await ended(run, 'success');
    await sidecar.waitFor(...run, (view) => view === null);
    expect(alertsOf(run)).toEqual([]);
  }

  beforeAll(async () => {
    // Thirty tasks would starve Airflow's own processes on a small machine if they ran all at the same time.
    stage = await setStage(version, POLICY_DAG_IDS, { AIRFLOW__CORE__PARALLELISM: '4' });
    gate = await startGate(stage.airflow.url);
    api = createAirflowApi({ version, url: gate.url, ...USERS[0] });
    alerts = await startAlertReceiver();
    policyPath = join(stage.folder, 'policy.yaml');
    await writeFile(policyPath, policyFile(CAP));
    const env = {
      DAGAIN_DATA_DIR: join(stage.folder, 'data'),
      DAGAIN_POLICY_FILE: policyPath,
      DAGAIN_SWEEP_INTERVAL: '5s',
      DAGAIN_ALERT_WEBHOOK_URL: alerts.url,
    };
    sidecar = await stage.startSidecar('sidecar', env, gate.url);
    // All at once: each test then looks at its own run.
    for (const run of OTHER_RUNS) await api.trigger(...run);
    await api.trigger(...EXTRACT_FAILS, { fail: 'extract' });
    await api.trigger(...PUBLISH_FAILS, { fail: 'publish_report' });
  });

  afterAll(async () => {
    const exitCode = await sidecar?.stop();
    await alerts?.close();
    await gate?.close();
    await stage?.close();
    expect(exitCode).toBe(0);
  });

  // First, because its run must still have retries left.
  test('a changed policy file counts from the next decision on, an invalid one is refused', async () => {
    const run = runOf('cap_lowered_meanwhile');
    await sidecar.waitFor(...run, (view) => view?.retries_used === 1);
    await writeFile(policyPath, policyFile('many'));
    // Found without a signal: the file is polled.
    await sidecar.waitForLog('policy file refused: the old policy stays in force');
    expect((await sidecar.policy(run[0])).policy['max_retries']?.value).toBe(CAP);

    await writeFile(policyPath, policyFile(1));
    sidecar.reload();
    await sidecar.waitForLog('policy file changed: the new policy is in force');
    expect((await sidecar.policy(run[0])).policy['max_retries']).toEqual({
      value: 1,
      source: 'policy file, dags[9] (cap_lowered_meanwhile)',
    });
    expect(await gaveUp(run)).toMatchObject({ retries_used: 1, max_retries: 1, reason: 'max_retries_reached' });
    expect(await tries(run)).toEqual({ work: 2 });
    expect(await stage.clearers(...run)).toEqual([OURS]);
    expect(alertsOf(run)).toMatchObject([{ type: 'gave_up', reason: 'max_retries_reached', retries_used: 1 }]);
  });

  test('all_tasks runs everything again', async () => {
    const run = runOf('again_all_tasks');
    await recovered(run);
    expect(await tries(run)).toEqual({ prepare: 2, work: 2, finish: 1 });
    expect(await clears(run)).toEqual([{ event: 'clear_dag_run', owner: OURS, onlyFailed: undefined }]);
  });

  test('from_failure runs only what has failed, and what follows', async () => {
    const run = runOf('again_from_failure');
    await recovered(run);
    expect(await tries(run)).toEqual({ prepare: 1, work: 2, finish: 1 });
    const event = isAirflow2 ? 'post_clear_task_instances' : 'clear_dag_run';
    expect(await clears(run)).toEqual([{ event, owner: OURS, onlyFailed: true }]);
  });

  test('from_failure falls back to all tasks on the same retry where none has failed', async () => {
    const run = runOf('out_of_time');
    const view = await gaveUp(run);
    expect(view).toMatchObject({ attempt: 2, retries_used: 1, max_retries: 1, reason: 'max_retries_reached' });
    const event = isAirflow2 ? 'post_clear_task_instances' : 'clear_dag_run';
    expect(await clears(run)).toEqual([
      { event, owner: OURS, onlyFailed: true },
      { event: 'clear_dag_run', owner: OURS, onlyFailed: undefined },
    ]);
    // No task has failed, and none is named.
    expect(alertsOf(run)).toMatchObject([{ reason: 'max_retries_reached', failures: [{ task_id: null }] }]);
  });

  test('RetryDagRun asks for a retry where the policy gives none, and gets no more than it asks for', async () => {
    const run = runOf('asks_for_a_retry');
    expect(await gaveUp(run)).toMatchObject({ retries_used: 1, max_retries: 1, reason: 'max_retries_reached' });
    expect(await tries(run)).toEqual({ work: 2 });
    expect(await stage.clearers(...run)).toEqual([OURS]);
    expect(alertsOf(run)).toMatchObject([{ reason: 'max_retries_reached' }]);
    expect(alertsOf(run)[0]?.failures).toContainEqual(
      expect.objectContaining({ task_id: 'work', exception: 'dagain_airflow.RetryDagRun' }),
    );
  });

  test('DoNotRetryDagRun in one of two parallel failures forbids the retry of both', async () => {
    const run = runOf('refuses_a_retry');
    expect(await gaveUp(run)).toMatchObject({ retries_used: 0, reason: 'never_on' });
    expect(await tries(run)).toEqual({ fail: 1, refuse: 1 });
    expect(await clears(run)).toEqual([]);
    expect(alertsOf(run)).toMatchObject([{ type: 'gave_up', reason: 'never_on' }]);
    expect(alertsOf(run)[0]?.failures.map((failure) => failure.task_id)).toEqual(
      expect.arrayContaining(['fail', 'refuse']),
    );
  });

  test('Dag tags switch retries on', async () => {
    const run = runOf('tagged');
    expect(await gaveUp(run)).toMatchObject({ retries_used: 1, max_retries: 1, reason: 'max_retries_reached' });
    expect(await stage.clearers(...run)).toEqual([OURS]);
    const { policy, tags_known, tag_problems } = await sidecar.policy('tagged');
    expect(policy).toMatchObject({
      max_retries: { value: 1, source: 'Dag tags' },
      delay: { value: '1s', source: 'Dag tags' },
      jitter: { value: 'none', source: 'policy file, defaults' },
    });
    expect({ tags_known, tag_problems }).toEqual({ tags_known: true, tag_problems: [] });
  });

  test('only_tasks: the failure of another task is not retried, though the run itself was reported too', async () => {
    await ended(EXTRACT_FAILS, 'failed');
    expect(await gaveUp(EXTRACT_FAILS)).toMatchObject({ retries_used: 0, reason: 'task_not_selected' });
    expect(await tries(EXTRACT_FAILS)).toEqual({ extract: 1, publish_report: 0 });
    expect(await clears(EXTRACT_FAILS)).toEqual([]);
  });

  test('only_tasks: the failure of a task that it names is retried', async () => {
    await recovered(PUBLISH_FAILS);
    expect(await tries(PUBLISH_FAILS)).toEqual({ extract: 2, publish_report: 2 });
    expect(await stage.clearers(...PUBLISH_FAILS)).toEqual([OURS]);
  });

  test('with callbacks of the Dag alone, runs are retried, and the alert names the task that failed', async () => {
    const run = runOf('dag_level_callbacks');
    expect(await gaveUp(run)).toMatchObject({ retries_used: 1, reason: 'max_retries_reached' });
    expect(await tries(run)).toEqual({ work: 2 });
    expect(await stage.clearers(...run)).toEqual([OURS]);
    expect(alertsOf(run)).toHaveLength(1);
    expect(alertsOf(run)[0]?.failures.map((failure) => failure.task_id)).toContain('work');
  });

  test('never_on names an exception by the last part of its name', async () => {
    const run = runOf('never_on_wrong_input');
    expect(await gaveUp(run)).toMatchObject({ retries_used: 0, reason: 'never_on' });
    expect(await clears(run)).toEqual([]);
    expect(alertsOf(run)).toMatchObject([{ type: 'gave_up', reason: 'never_on' }]);
    expect(alertsOf(run)[0]?.failures[0]).toMatchObject({
      task_id: 'work',
      exception: expect.stringMatching(/policies\.WrongInput$/),
    });
  });

  test('ignore_operators: the failure of such a task is not retried', async () => {
    const run = runOf('ignored_operator');
    expect(await gaveUp(run)).toMatchObject({ retries_used: 0, reason: 'operator_ignored' });
    expect(await clears(run)).toEqual([]);
  });

  test('a killed task counts as infra, which has a cap of its own, also where nobody tells of it', async () => {
    const run = runOf('killed');
    await recovered(run);
    expect(await stage.clearers(...run)).toEqual([OURS, OURS]);
    expect((await api.tries(...run, 'work')).map(({ state }) => state)).toEqual(['failed', 'failed', 'success']);
  });

  test('late callbacks start nothing more, and nobody is told twice', async () => {
    const runs = [...OTHER_RUNS, EXTRACT_FAILS, PUBLISH_FAILS];
    const seen = () => Promise.all(runs.map(async (run) => [run, await stage.clearers(...run), alertsOf(run).length]));
    const before = await seen();
    // Long enough for a sweep, and for every late callback of Airflow's.
    await delay(6_000);
    expect(await seen()).toEqual(before);
    const told = alerts.accepted.map((alert) => alert.dedupe_key);
    expect(told).toEqual([...new Set(told)]);
  });
});
