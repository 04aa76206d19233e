import { copyFile, cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const REPOSITORY = join(import.meta.dirname, '../../..');

/** What runs inside Airflow. */
export const AIRFLOW_SIDE = join(REPOSITORY, 'deploy/airflow');

/** Dags of test/e2e/dags that stand in a file of their name each. */
export const DAG_IDS = ['fail_twice_then_succeed', 'fail_for_ever', 'eight_parallel_failures'] as const;

/** The Dags of test/e2e/dags/policies.py. */
export const POLICY_DAG_IDS = [
  'cap_lowered_meanwhile',
  'out_of_time',
  'killed',
  'tagged',
  'asks_for_a_retry',
  'dag_level_callbacks',
  'again_all_tasks',
  'again_from_failure',
  'refuses_a_retry',
  'never_on_wrong_input',
  'ignored_operator',
  'only_publish_tasks',
] as const;

/** The ways to adopt dagain, each with Dags of its own: `plugin_fails_once` and so on. */
export const ADOPTIONS = ['plugin', 'notifier', 'watch', 'all'] as const;
export type Adoption = (typeof ADOPTIONS)[number];

/** What test/e2e/dags/adoption makes for each of them. */
export const SHAPES = [
  'succeeds',
  'fails_once',
  'fails_for_ever',
  'fails_in_parallel',
  'has_task_retries',
  'is_mapped',
  'is_rescued',
  'is_killed',
  'runs_out_of_time',
  'is_stopped_by_hand',
  'is_stopped_by_hand_and_complains',
] as const;
export type Shape = (typeof SHAPES)[number];

/** Fills `folder` as a user would: the Dags, and `dagain_airflow.py` beside them. Returns it. */
export async function makeDagsFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const dags = join(REPOSITORY, 'test/e2e/dags');
  for (const file of await readdir(dags)) {
    if (file.endsWith('.py')) await copyFile(join(dags, file), join(folder, file));
  }
  for (const file of ['dagain_airflow.py', 'example_dag.py'])
    await copyFile(join(AIRFLOW_SIDE, file), join(folder, file));
  return folder;
}

/** Fills `folder` with the Dags of test/e2e/dags/adoption, which find `dagain_airflow.py` elsewhere. Returns it. */
export async function makeAdoptionFolder(folder: string): Promise<string> {
  await cp(join(REPOSITORY, 'test/e2e/dags/adoption'), folder, { recursive: true, filter: isNoCache });
  return folder;
}

/** The one file in a plugins folder. Returns the folder. */
export async function makePluginsFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await copyFile(join(AIRFLOW_SIDE, 'dagain_airflow.py'), join(folder, 'dagain_airflow.py'));
  return folder;
}

function isNoCache(path: string): boolean {
  return !path.endsWith('__pycache__');
}
