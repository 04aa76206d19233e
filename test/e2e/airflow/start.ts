import { constants, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../support/free-port.ts';
import { type AirflowApi, createAirflowApi } from './api.ts';
import { type Component, startComponent } from './component.ts';
import { installAirflow } from './install.ts';
import { type AirflowVersion, passwordsFile, settingsFor, USERS } from './settings.ts';

const START_TIMEOUT_MS = 300_000;

export interface StartOptions {
  version: AirflowVersion;
  /** A free one is taken when left out; it is kept over restarts. */
  port?: number;
  /** AIRFLOW_HOME, made when missing. An existing one is continued: its database keeps its runs. */
  home: string;
  dagsFolder: string;
  /** Ready means that all of these are parsed. */
  dagIds: readonly string[];
  /** Wins over the harness's own settings and reaches the Dags' code. */
  env?: Record<string, string>;
}

export interface Airflow {
  readonly version: AirflowVersion;
  /** Without a slash at the end, as in `DAGAIN_AIRFLOW_URL`. */
  readonly url: string;
  readonly home: string;
  /** As a person (`admin`). */
  readonly api: AirflowApi;
  /** The running processes by name, to kill one of them. */
  readonly components: ReadonlyMap<string, Component>;
  /** Gently, then by force. Nothing of it is left when this resolves. */
  stop(): Promise<void>;
  /** SIGKILL to everything at once. */
  kill(): Promise<void>;
  /** Stops what still runs, starts everything again on the same port and database, and waits until it is ready. */
  restart(env?: Record<string, string>): Promise<void>;
}

/** Installs when needed, starts every process of one Airflow and waits until it is healthy and the Dags are there. */
export async function startAirflow(options: StartOptions): Promise<Airflow> {
  const { version, home, dagsFolder, dagIds } = options;
  const install = await installAirflow(version);
  const port = options.port ?? (await freePort());
  const executionPort = await freePort();
  const database = join(home, 'airflow.db');
  await mkdir(home, { recursive: true });
  await copyFile(install.database, database, constants.COPYFILE_EXCL).catch(ignoreExisting);
  letReadersAndWritersWork(database);
  await writeFile(passwordsFile(home), JSON.stringify(Object.fromEntries(USERS.map((u) => [u.username, u.password]))));

  const url = `http://127.0.0.1:${port}`;
  const api = createAirflowApi({ version, url, ...USERS[0] });
  const components = new Map<string, Component>();

  async function start(env: Record<string, string>): Promise<void> {
    const settings = settingsFor({ version, port, executionPort, home, dagsFolder, database });
    const startedAt = new Date();
    for (const [name, ...args] of commandsOf(version, executionPort)) {
      const logFile = join(home, `${name}.log`);
      const all = { ...process.env, ...settings, ...env };
      components.set(name, startComponent({ name, command: install.airflow, args, env: all, logFile }));
    }
    await waitUntilReady({ api, executionPort, dagIds, startedAt }, [...components.values()]);
  }

  async function end(how: 'stop' | 'kill'): Promise<void> {
    await Promise.all([...components.values()].map((component) => component[how]()));
    components.clear();
  }

  await start(options.env ?? {}).catch((cause: unknown) => end('stop').then(() => Promise.reject(cause)));
  return {
    version,
    url,
    home,
    api,
    components,
    stop: () => end('stop'),
    kill: () => end('kill'),
    async restart(env = options.env ?? {}) {
      await end('stop');
      await start(env);
    },
  };
}

type Command = readonly [name: string, ...args: string[]];

function commandsOf(version: AirflowVersion, executionPort: number): readonly Command[] {
  // The scheduler's log server would take a fixed port.
  const scheduler = ['scheduler', 'scheduler', '--skip-serve-logs'] as const;
  if (version.startsWith('2.')) return [['webserver', 'webserver'], scheduler];
  return [
    // The API's audit log is written on its event loop: where tasks were served by the same one, and there is but one
    // lock, as on SQLite, a clear and the end of a task would wait for each other until one of them fails.
    ['api-server', 'api-server', '--apps', 'core'],
    ['execution-server', 'api-server', '--apps', 'execution', '--port', String(executionPort)],
    scheduler,
    ['dag-processor', 'dag-processor'],
  ];
}

interface Expected {
  api: AirflowApi;
  executionPort: number;
  dagIds: readonly string[];
  startedAt: Date;
}

async function waitUntilReady(expected: Expected, components: readonly Component[]): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const problem = await whatIsMissing(expected).catch(String);
    if (problem === null) return;
    const gone = components.find((component) => component.exited());
    if (gone !== undefined) throw new Error(`airflow ${gone.name} ended while starting:\n${await gone.lastLines(25)}`);
    if (problem.startsWith('import error')) throw new Error(problem);
    if (Date.now() > deadline) throw new Error(`Airflow was not ready after ${START_TIMEOUT_MS} ms: ${problem}`);
    await delay(200);
  }
}

async function whatIsMissing({ api, executionPort, dagIds, startedAt }: Expected): Promise<string | null> {
  const isAirflow2 = api.version.startsWith('2.');
  const health = await api.health();
  // An earlier run's last heartbeat counts as healthy for half a minute.
  const beats = [health.schedulerBeatAt, ...(isAirflow2 ? [] : [health.dagProcessorBeatAt])];
  if (!beats.every((beat) => beat !== null && beat >= startedAt)) return `no heartbeat yet: ${JSON.stringify(health)}`;
  const errors = await api.importErrors();
  if (errors.length > 0) return `import error in a Dag:\n${errors.join('\n')}`;
  for (const dagId of dagIds) {
    if (!(await api.isParsed(dagId))) return `Dag "${dagId}" is not parsed`;
  }
  if (!isAirflow2) await warmUp(executionPort);
  return null;
}

/** Makes the server build what it otherwise builds for its first task. */
async function warmUp(executionPort: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${executionPort}/execution/health`);
  await answer.body?.cancel();
}

/** Written into the file itself; without it every reader of the database holds up every writer. */
function letReadersAndWritersWork(path: string): void {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL');
  database.close();
}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
}
