import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type AirflowVersion, settingsFor, USERS } from './settings.ts';

const run = promisify(execFile);

export interface AirflowInstall {
  version: AirflowVersion;
  /** Absolute path of the `airflow` command. */
  airflow: string;
  /** A migrated SQLite database with the users of {@link USERS}, to be copied. */
  database: string;
}

/**
 * Makes the pinned environment of `version` once (a minute, from a package index) and reuses it until the pins change.
 * Lives under `DAGAIN_E2E_CACHE`, else under the user's cache folder.
 * @throws Error with one line that says what is missing.
 */
export async function installAirflow(version: AirflowVersion): Promise<AirflowInstall> {
  const requirements = join(import.meta.dirname, `requirements-${version}.txt`);
  const dir = join(cacheDir(), `airflow-${version}`);
  const install: AirflowInstall = { version, airflow: join(dir, 'bin/airflow'), database: join(dir, 'template.db') };
  const stamp = createHash('sha256')
    .update(await readFile(requirements))
    .update(JSON.stringify(USERS))
    .digest('hex');
  if ((await readFile(join(dir, 'stamp'), 'utf8').catch(() => '')) === stamp) return install;

  await rm(dir, { recursive: true, force: true });
  await mkdir(cacheDir(), { recursive: true });
  await makeEnvironment(dir, requirements);
  await makeDatabase(install, join(dir, 'template-home'));
  await writeFile(join(dir, 'stamp'), stamp);
  return install;
}

function cacheDir(): string {
  const { DAGAIN_E2E_CACHE: own, XDG_CACHE_HOME: cache } = process.env;
  return own ?? join(cache ?? join(homedir(), '.cache'), 'dagain-e2e');
}

async function makeEnvironment(dir: string, requirements: string): Promise<void> {
  const python = process.env['DAGAIN_E2E_PYTHON'] ?? 'python3';
  await run(python, ['-m', 'venv', dir]).catch((cause: unknown) => {
    throw new Error(`a real Airflow needs Python 3.11 with venv, and "${python} -m venv" failed`, { cause });
  });
  // The pins are complete, so nothing is left to resolve. python-nvd3 (2.x) has no wheel.
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--prefer-binary'];
  await run(join(dir, 'bin/python'), [...pip, '-r', requirements]).catch((cause: unknown) => {
    throw new Error(`pip could not install ${requirements}: is a package index reachable?`, { cause });
  });
}

/** Migrating takes seconds, so it is done once here and copied by every start. */
async function makeDatabase({ version, airflow, database }: AirflowInstall, home: string): Promise<void> {
  const env = {
    ...process.env,
    ...settingsFor({ version, port: 0, executionPort: 0, home, dagsFolder: home, database }),
  };
  await run(airflow, ['db', 'migrate'], { env });
  if (version.startsWith('2.')) {
    for (const { username, password } of USERS) {
      const person = ['-f', username, '-l', username, '-e', `${username}@example.org`, '-r', 'Admin'];
      await run(airflow, ['users', 'create', '-u', username, '-p', password, ...person], { env });
    }
  }
  await rm(home, { recursive: true, force: true });
}
