import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const REPOSITORY = join(import.meta.dirname, '../../..');

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

/** Fills `folder` as a user would: the Dags, and `dagain_airflow.py` beside them. Returns it. */
export async function makeDagsFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const dags = join(REPOSITORY, 'test/e2e/dags');
  for (const file of await readdir(dags)) {
    if (file.endsWith('.py')) await copyFile(join(dags, file), join(folder, file));
  }
  const deployed = join(REPOSITORY, 'deploy/airflow');
  for (const file of ['dagain_airflow.py', 'example_dag.py']) await copyFile(join(deployed, file), join(folder, file));
  return folder;
}
