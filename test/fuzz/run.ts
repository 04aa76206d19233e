import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createApp, createLog } from '../../src/app.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import { createSqliteStore } from '../../src/store/sqlite.ts';
import { createAirflowModel } from '../support/airflow/model/model.ts';
import { serveAirflow } from '../support/airflow/serve.ts';
import { DEMO_DAGS } from '../support/demo/dags.ts';
import { createRealTimers } from '../support/timers.ts';
import { seed } from './seeds.ts';

/**
 * The whole HTTP interface under schemathesis, which makes requests from the OpenAPI document, good and bad ones, and
 * holds the answers against it. The real service on loopback, over SQLite, with a simulated Airflow.
 */
const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '240' }, seed: { type: 'string', default: '1' } },
});
const FOLDER = import.meta.dirname;
const HOME = join(homedir(), '.cache', 'dagain-fuzz');
/** As known-run.toml names it. */
const KNOWN_RUN = { dagId: 'partner_feed', dagRunId: 'manual__1' };
/** All but `reset`, which would leave nothing to act on. */
const ON_ONE_RUN = '/v1/runs/[^/]+/[^/]+(/(explain|pause|resume|cancel|retry-now|grant))?$';
const TOKENS = { callbacks: 'callback-token-for-fuzzing', rest: 'operator-token-for-fuzzing' };

const data = await mkdtemp(join(tmpdir(), 'dagain-fuzz-'));
const store = await createSqliteStore({ directory: data });
const seeded = await seed(store, Date.now());
await store.close();

const timers = createRealTimers();
const model = createAirflowModel({ version: '3.3', timers, dags: DEMO_DAGS });
const airflow = await serveAirflow({ model });
const app = await createApp({
  log: createLog('silent'),
  environment: readEnvironment({
    DAGAIN_PORT: '0',
    DAGAIN_AIRFLOW_URL: airflow.url,
    DAGAIN_AIRFLOW_USERNAME: 'admin',
    DAGAIN_AIRFLOW_PASSWORD: 'admin',
    DAGAIN_DATA_DIR: data,
    DAGAIN_RETRY_DELAY: '1h',
    DAGAIN_CALLBACK_TOKEN: TOKENS.callbacks,
    DAGAIN_OPERATOR_TOKEN: TOKENS.rest,
  }),
});
const { url } = await app.start();

model.trigger(KNOWN_RUN);
const report = { dag_id: KNOWN_RUN.dagId, dag_run_id: KNOWN_RUN.dagRunId, task_id: 'download' };
await fetch(`${url}/v1/callbacks/task-failed`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKENS.callbacks}` },
  body: JSON.stringify(report),
});

const tool = await install();
const ANY = 'schemathesis.toml';
const share = Number(values.seconds) / 3;
const codes = [
  await fuzz('one run', 'known-run.toml', ['--include-path-regex', ON_ONE_RUN], TOKENS.rest),
  await fuzz('callbacks', ANY, ['--include-tag', 'callbacks'], TOKENS.callbacks),
  // A stream has no end that could be waited for.
  await fuzz('all else', ANY, ['--exclude-tag', 'callbacks', '--exclude-path', '/v1/events/stream'], TOKENS.rest),
];
const answers = await countAnswers();
const isClean = codes.every((code) => code === 0) && !Object.keys(answers).some((status) => status.startsWith('5'));
const told = Object.entries(answers).map(([status, count]) => `${count} x ${status}`);
process.stdout.write(`\n${seeded} runs were in the store. Answers: ${told.join(', ')}.\n`);
process.stdout.write(`${isClean ? 'Nothing' : 'Something'} was found.\n`);

await app.stop();
await airflow.close();
timers.stop();
await rm(data, { recursive: true });
process.exitCode = isClean ? 0 : 1;

/** A virtual environment with exactly what requirements.txt names, made anew when that changes. */
async function install(): Promise<string> {
  const requirements = join(FOLDER, 'requirements.txt');
  const mark = join(HOME, 'installed.txt');
  const bin = join(HOME, 'venv', 'bin');
  const isThere = existsSync(mark) && readFileSync(mark, 'utf8') === readFileSync(requirements, 'utf8');
  if (!isThere) {
    await runOrThrow('python3', ['-m', 'venv', join(HOME, 'venv')]);
    await runOrThrow(join(bin, 'pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
    await copyFile(requirements, mark);
  }
  return join(bin, 'schemathesis');
}

async function fuzz(name: string, config: string, which: readonly string[], token: string): Promise<number> {
  process.stdout.write(`\n== ${name}\n`);
  return await run(tool, [
    ...['--config-file', join(FOLDER, config), '--no-color', 'run', `${url}/openapi.json`],
    ...['--checks', 'all', '--phases', 'examples,coverage,fuzzing,stateful', '--workers', '1'],
    ...[
      '--max-time',
      String(Math.round(share)),
      '--max-examples',
      '100',
      '--seed',
      values.seed,
      '--continue-on-failure',
    ],
    ...['--request-timeout', '10', '--header', `Authorization: Bearer ${token}`, ...which],
  ]);
}

/** What was answered in all, by status, as the service itself counts it. */
async function countAnswers(): Promise<Record<string, number>> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const answers: Record<string, number> = {};
  for (const [, status = '', count] of metrics.matchAll(
    /^dagain_http_request_duration_seconds_count\{.*status="(\d+)".*\} (\d+)$/gm,
  )) {
    answers[status] = (answers[status] ?? 0) + Number(count);
  }
  return answers;
}

async function runOrThrow(command: string, args: readonly string[]): Promise<void> {
  const code = await run(command, args);
  if (code !== 0) throw new Error(`"${[command, ...args].join(' ')}" failed with exit code ${code}`);
}

/** Runs to its end, at most ten minutes; resolves with the exit code. */
function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd: data, timeout: 600_000 });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
