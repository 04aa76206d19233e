import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
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
const TOKENS = { callbacks: 'callback-token-for-fuzzing', rest: 'operator-token-for-fuzzing' };

const data = await mkdtemp(join(tmpdir(), 'dagain-fuzz-'));
const store = await createSqliteStore({ directory: data });
const seeded = await seed(store, Date.now());
await store.close();

const timers = createRealTimers();
const airflow = await serveAirflow({ model: createAirflowModel({ version: '3.3', timers, dags: DEMO_DAGS }) });
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

const tool = await install();
const share = Number(values.seconds) / 2;
const codes = [
  await fuzz('callbacks', ['--include-tag', 'callbacks'], TOKENS.callbacks),
  // A stream has no end that could be waited for.
  await fuzz('rest', ['--exclude-tag', 'callbacks', '--exclude-path', '/v1/events/stream'], TOKENS.rest),
];
process.stdout.write(
  `${seeded} runs were in the store; ${codes.every((code) => code === 0) ? 'nothing' : 'something'} was found\n`,
);

await app.stop();
await airflow.close();
timers.stop();
await rm(data, { recursive: true });
process.exitCode = codes.every((code) => code === 0) ? 0 : 1;

/** A virtual environment with exactly what requirements.txt names, made anew when that changes. */
async function install(): Promise<string> {
  const requirements = join(FOLDER, 'requirements.txt');
  const mark = join(HOME, 'installed.txt');
  const bin = join(HOME, 'venv', 'bin');
  const isThere = existsSync(mark) && readFileSync(mark, 'utf8') === readFileSync(requirements, 'utf8');
  if (!isThere) {
    await run('python3', ['-m', 'venv', join(HOME, 'venv')]);
    await run(join(bin, 'pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
    await run('cp', [requirements, mark]);
  }
  return join(bin, 'schemathesis');
}

async function fuzz(name: string, which: readonly string[], token: string): Promise<number> {
  process.stdout.write(`\n== ${name}\n`);
  return await run(tool, [
    ...['--config-file', join(FOLDER, 'schemathesis.toml'), '--no-color', 'run', `${url}/openapi.json`],
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

/** Runs to its end, at most ten minutes; resolves with the exit code. */
function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd: data, timeout: 600_000 });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
