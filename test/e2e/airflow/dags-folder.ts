import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const REPOSITORY = join(import.meta.dirname, '../../..');

/** The Dags of test/e2e/dags; each file holds the Dag of its name. */
export const DAG_IDS = ['fail_twice_then_succeed', 'fail_for_ever', 'eight_parallel_failures'] as const;

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
