import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AIRFLOW_SIDE } from './airflow/dags-folder.ts';
import { installAirflow } from './airflow/install.ts';
import { chosenVersions } from './stage.ts';

const run = promisify(execFile);

/** What the Python tests need on top of an Airflow, which has the rest of it. */
const PYTEST = ['pytest==9.2.0', 'iniconfig==2.3.0'];

describe.each(chosenVersions())('inside Airflow %s', (version) => {
  let folder: string;
  let python: string;
  let env: Record<string, string | undefined>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), `dagain-package-${version}-`));
    python = join(dirname((await installAirflow(version)).airflow), 'python');
    const [tools, installed] = [join(folder, 'tools'), join(folder, 'installed')];
    // Beside the pinned environment, which stays as it is.
    await run(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', tools, ...PYTEST]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--target', installed, AIRFLOW_SIDE]);
    env = {
      ...process.env,
      AIRFLOW__CORE__LOAD_EXAMPLES: 'False',
      DAGAIN_INSTALLED: installed,
      PYTHONPATH: tools,
      PYTHONDONTWRITEBYTECODE: '1',
    };
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Resolves with how many tests passed. @throws Error with pytest's output unless all did. */
  async function pytest(...paths: string[]): Promise<number> {
    const args = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', ...paths];
    const ownEnv = { ...env, AIRFLOW_HOME: await mkdtemp(join(folder, 'home-')) };
    const { stdout } = await run(python, args, { env: ownEnv, cwd: AIRFLOW_SIDE }).catch(
      (error: { stdout?: string }) => {
        throw new Error(`pytest in Airflow ${version}:\n${error.stdout}`);
      },
    );
    expect(stdout).not.toMatch(/skipped|xfailed/);
    return Number(/(\d+) passed/.exec(stdout)?.[1]);
  }

  // Both at once: each mostly waits for Airflow to be imported.
  test.concurrent('the notifier, its templates and connections, and the plugin work with what is really there', async () => {
    expect(await pytest('tests/in_airflow')).toBeGreaterThanOrEqual(14);
  });

  test.concurrent('all that holds without an Airflow holds with one', async () => {
    const files = (await readdir(join(AIRFLOW_SIDE, 'tests'))).filter(
      (name) => name.startsWith('test_') && name !== 'test_package.py',
    );
    expect(await pytest(...files.map((name) => join('tests', name)))).toBeGreaterThanOrEqual(400);
  });
});
