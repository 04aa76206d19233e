import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type Stack, startStack, until } from '../app/stack.ts';
import { type DagDefinition, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import type { RunKey } from '../support/airflow/model/run-state.ts';
import { dagain, type Ran, type Settings } from './run.ts';

const QUICK_MS = 30;
const failing = { taskId: 'load', script: [fail({ durationMs: QUICK_MS })] } as const;

/** Waits for an hour; heals at the second attempt; never does; never tells; is not retried. */
const DAGS: readonly DagDefinition[] = [
  { dagId: 'etl_daily', tasks: [failing] },
  { dagId: 'etl_hourly', tasks: [failing] },
  {
    dagId: 'heals',
    retry: { delay: 0.4 },
    tasks: [{ taskId: 'load', script: [fail({ durationMs: QUICK_MS }), succeed(QUICK_MS)] }],
  },
  { dagId: 'never_heals', retry: { delay: 0.4, max_retries: 1 }, tasks: [failing] },
  { dagId: 'silent', callbacks: { taskFailed: false, runFailed: false, runSucceeded: false }, tasks: [failing] },
];

export const TOKEN = 'operator-token-of-the-tests-0001';
const CALLBACK_TOKEN = 'callback-token-of-the-tests-0001';

/** The real service beside a simulated Airflow, and a command line that is pointed at it. */
export interface Operated {
  readonly stack: Stack;
  readonly url: string;
  readonly settings: Settings;
  run(line: string, more?: Settings): Promise<Ran>;
  /** Fails a run, and waits until the service shows it in this phase. */
  failRun(dagId: string, dagRunId: string, phase?: string): Promise<void>;
  close(): Promise<void>;
}

export async function startOperated(more: Settings = {}, dags = DAGS): Promise<Operated> {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-operated-'));
  const stack = await startStack(dags);
  const started = await stack.startApp({
    DAGAIN_DATA_DIR: folder,
    DAGAIN_OPERATOR_TOKEN: TOKEN,
    DAGAIN_CALLBACK_TOKEN: CALLBACK_TOKEN,
    DAGAIN_RETRY_DELAY: '1h',
    ...more,
  });
  stack.sendCallbacksTo(started.url, CALLBACK_TOKEN);
  const settings = { DAGAIN_URL: started.url, DAGAIN_OPERATOR_TOKEN: TOKEN, DAGAIN_ACTOR: 'ada' };
  const phaseOf = async ({ dagId, dagRunId }: RunKey) => {
    const path = `${started.url}/v1/runs/${dagId}/${encodeURIComponent(dagRunId)}`;
    const answer = await fetch(path, { headers: { authorization: `Bearer ${TOKEN}` } });
    return z.looseObject({ phase: z.string().optional() }).parse(await answer.json()).phase;
  };
  return {
    stack,
    url: started.url,
    settings,
    run: (line, other = {}) => dagain(line.split(' '), { ...settings, ...other }),
    async failRun(dagId, dagRunId, phase = 'waiting') {
      stack.model.trigger({ dagId, dagRunId });
      await until(async () => (await phaseOf({ dagId, dagRunId })) === phase);
    },
    async close() {
      await stack.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
