import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { stringify } from 'yaml';
import { z } from 'zod';
import { freePort } from '../support/free-port.ts';

const START_LIMIT_MS = 20_000;

const Labels = z.record(z.string(), z.string());
/** Values come as text, `NaN` and `+Inf` among them. */
const Sample = z.tuple([z.number(), z.string().transform((text) => Number(text.replace('Inf', 'Infinity')))]);
const Result = z.object({
  status: z.literal('success'),
  data: z.object({
    result: z.array(z.object({ metric: Labels, value: Sample.optional(), values: z.array(Sample).optional() })),
  }),
});
const Firing = z.object({
  data: z.object({
    alerts: z.array(
      z.object({ labels: Labels, annotations: Labels, state: z.enum(['pending', 'firing', 'inactive']) }),
    ),
  }),
});

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

export interface Target {
  readonly url: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A real Prometheus, which scrapes every second. */
export interface Prometheus {
  query(expr: string): Promise<Series[]>;
  /** From its start until now, second by second. */
  queryRange(expr: string): Promise<Series[]>;
  alerts(): Promise<z.infer<typeof Firing>['data']['alerts']>;
  stop(): Promise<void>;
}

/** @throws Error where `prometheus` is not installed, or does not start */
export async function startPrometheus(targets: readonly Target[], rules: readonly string[]): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-prometheus-'));
  const rulePaths = rules.map((text, index) => {
    const path = join(folder, `rules-${index}.yaml`);
    writeFileSync(path, text);
    return path;
  });
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '500ms' },
    rule_files: rulePaths,
    scrape_configs: [
      {
        job_name: 'dagain',
        static_configs: targets.map(({ url, labels }) => ({ targets: [new URL(url).host], labels })),
      },
    ],
  };
  writeFileSync(join(folder, 'prometheus.yaml'), stringify(config));
  const port = await freePort();
  const startedAtMs = Date.now();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const api = `http://127.0.0.1:${port}`;
  await ready(api, child);

  async function ask(path: string, parameters: Record<string, string>): Promise<unknown> {
    const answer = await fetch(`${api}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const body: unknown = await answer.json();
    if (!answer.ok) throw new Error(`Prometheus answered ${answer.status}: ${JSON.stringify(body)}`);
    return body;
  }

  const seriesOf = (body: unknown): Series[] =>
    Result.parse(body).data.result.map(({ metric, value, values }) => ({
      labels: metric,
      values: (values ?? (value === undefined ? [] : [value])).map(([, number]) => number),
    }));

  return {
    query: async (expr) => seriesOf(await ask('query', { query: expr })),
    async queryRange(expr) {
      const [start, end] = [startedAtMs, Date.now()].map((ms) => String(ms / 1_000));
      return seriesOf(await ask('query_range', { query: expr, start: start ?? '', end: end ?? '', step: '1' }));
    },
    alerts: async () => Firing.parse(await ask('alerts', {})).data.alerts,
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ready(api: string, child: ChildProcess): Promise<void> {
  const failed = once(child, 'error').then(([error]) => {
    throw new Error('These tests need prometheus: install it (Debian: apt-get install prometheus)', { cause: error });
  });
  const answered = async () => {
    const giveUpAtMs = Date.now() + START_LIMIT_MS;
    while (
      !(await fetch(`${api}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ))
    ) {
      if (child.exitCode !== null || Date.now() > giveUpAtMs) throw new Error('prometheus did not start');
      await pause(50);
    }
  };
  await Promise.race([answered(), failed]);
}
