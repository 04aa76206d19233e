import { createHistogram, performance } from 'node:perf_hooks';
import { Pool } from 'undici';

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const PATH = '/v1/callbacks/task-failed';
const HEADERS = { 'content-type': 'application/json' };

/** Failing tasks of many runs, eight of each, as a Dag with eight parallel branches sends them. */
export function bodyOf(index: number, salt: string): string {
  const run = Math.floor(index / 8);
  return JSON.stringify({
    dag_id: `bench_${run % 50}`,
    dag_run_id: `scheduled__2026-11-21T06:00:00+00:00_${salt}_${run}`,
    task_id: `branch_${index % 8}`,
    map_index: -1,
    try_number: 1,
    max_tries: 0,
    task_instance_id: `0193-${salt}-${index}`,
    operator: 'PythonOperator',
    exception: { type: 'requests.exceptions.ConnectionError', message: 'HTTPSConnectionPool: Max retries exceeded' },
    failed_at: '2026-11-21T06:03:00.123456+00:00',
    log_url: 'http://airflow/dags/bench/runs/r/tasks/t',
    dag_run: { start_date: '2026-11-21T06:00:01.000000+00:00', clear_number: 0, run_type: 'scheduled' },
  });
}

/** As fast as `connections` allow, for `durationMs`. */
export async function closedLoop(
  origin: string,
  connections: number,
  durationMs: number,
  salt: string,
): Promise<LoadResult> {
  const pool = new Pool(origin, { connections });
  const tally = createTally();
  const startedAt = performance.now();
  let index = 0;
  const lane = async () => {
    while (performance.now() - startedAt < durationMs)
      await send(pool, bodyOf(index++, salt), performance.now(), tally);
  };
  await Promise.all(Array.from({ length: connections }, lane));
  const result = tally.result(performance.now() - startedAt);
  await pool.close();
  return result;
}

/**
 * `perSecond` requests at fixed times, whether or not earlier ones have been answered; latency counts from the time at
 * which a request was meant to leave, so that a stall is not hidden by requests that were never sent.
 */
export async function openLoop(
  origin: string,
  perSecond: number,
  durationMs: number,
  salt: string,
): Promise<LoadResult> {
  const pool = new Pool(origin, { connections: 50 });
  const tally = createTally();
  const startedAt = performance.now();
  const total = Math.floor((perSecond * durationMs) / 1_000);
  const pending: Promise<void>[] = [];
  for (let index = 0; index < total; ) {
    const elapsedMs = performance.now() - startedAt;
    for (; index < total && (index * 1_000) / perSecond <= elapsedMs; index += 1) {
      pending.push(send(pool, bodyOf(index, salt), startedAt + (index * 1_000) / perSecond, tally));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  const result = tally.result(performance.now() - startedAt);
  await pool.close();
  return result;
}

interface Tally {
  add(latencyMs: number, isRight: boolean): void;
  result(elapsedMs: number): LoadResult;
}

function createTally(): Tally {
  const histogram = createHistogram();
  let failures = 0;
  return {
    add(latencyMs, isRight) {
      histogram.record(Math.max(1, Math.round(latencyMs * 1_000)));
      if (!isRight) failures += 1;
    },
    result: (elapsedMs) => ({
      requests: histogram.count,
      failures,
      perSecond: Math.round((histogram.count * 1_000) / elapsedMs),
      p50Ms: histogram.percentile(50) / 1_000,
      p99Ms: histogram.percentile(99) / 1_000,
    }),
  };
}

async function send(pool: Pool, body: string, meantAt: number, tally: Tally): Promise<void> {
  const { statusCode, body: answer } = await pool.request({ method: 'POST', path: PATH, headers: HEADERS, body });
  await answer.dump();
  tally.add(performance.now() - meantAt, statusCode === 202);
}
