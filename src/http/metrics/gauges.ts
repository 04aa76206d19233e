import type { Registry } from 'prom-client';
import { EVERYTHING, type Pause } from '../../core/pause.ts';
import type { Census } from '../../engine/census.ts';
import { within } from '../health.ts';
import { METRICS } from './catalogue.ts';
import { createGauge } from './instruments.ts';

/** Prometheus gives up on a scrape after ten seconds by default. */
const COUNT_TIMEOUT_MS = 2_000;
/** However often somebody scrapes, the orchestrator is asked no more often than this. */
const ASK_AGAIN_MS = 15_000;

export interface StoreGaugeDeps {
  readonly registry: Registry;
  /** How many records there are, and how many are due now. */
  readonly count: () => Promise<{ records: number; due: number }>;
  /** What they are in; null while nobody knows yet. */
  readonly census: () => Promise<Pick<Census, 'phases' | 'held' | 'pendingAlerts' | 'oldestAlertAtMs'> | null>;
  /** Of Dags and of everything. */
  readonly pauses: () => Promise<readonly Pause[]>;
}

/** Gauges of the store, read when somebody asks; without a value while it cannot be reached. */
export function registerStoreGauges({ registry, count, census, pauses }: StoreGaugeDeps): void {
  const counted = shared(count);
  const paused = shared(pauses);
  // Many records take long to read; until that is over, what was read before is told.
  const surveyed = shared(census, (last) => last);
  createGauge(registry, METRICS.storeUp, async (gauge) => gauge.set((await counted()) === null ? 0 : 1));
  createGauge(registry, METRICS.dueRecords, async (gauge) => {
    gauge.remove();
    const counts = await counted();
    if (counts !== null) gauge.set(counts.due);
  });
  createGauge(registry, METRICS.records, async (gauge) => {
    gauge.reset();
    const found = await surveyed();
    for (const [phase, records] of Object.entries(found?.phases ?? {})) gauge.set({ phase }, records);
  });
  createGauge(registry, METRICS.heldRecords, async (gauge) => {
    gauge.remove();
    const found = await surveyed();
    if (found !== null) gauge.set(found.held);
  });
  createGauge(registry, METRICS.pauses, async (gauge) => {
    gauge.reset();
    const found = await paused();
    if (found === null) return;
    const ofEverything = found.filter(({ scope }) => scope === EVERYTHING).length;
    gauge.set({ scope: 'everything' }, ofEverything);
    gauge.set({ scope: 'dag' }, found.length - ofEverything);
  });
  createGauge(registry, METRICS.pendingAlerts, async (gauge) => {
    gauge.reset();
    const found = await surveyed();
    for (const [channel, alerts] of Object.entries(found?.pendingAlerts ?? {})) gauge.set({ channel }, alerts);
  });
  createGauge(registry, METRICS.oldestAlert, async (gauge) => {
    gauge.remove();
    const oldestAlertAtMs = (await surveyed())?.oldestAlertAtMs ?? null;
    if (oldestAlertAtMs !== null) gauge.set(oldestAlertAtMs / 1_000);
  });
}

export interface OrchestratorGaugeDeps {
  readonly registry: Registry;
  /** `reachable`, or why there was no answer. */
  readonly look: () => Promise<string>;
  readonly nowMs: () => number;
}

/** Whether the orchestrator would answer, found out when somebody asks. */
export function registerOrchestratorGauge({ registry, look, nowMs }: OrchestratorGaugeDeps): void {
  let known: { readonly status: string; readonly atMs: number } | null = null;
  const asked = shared(async () => {
    known = { status: await look(), atMs: nowMs() };
    return known;
  });
  createGauge(registry, METRICS.orchestratorStatus, async (gauge) => {
    gauge.reset();
    const isOld = known === null || nowMs() - known.atMs >= ASK_AGAIN_MS;
    // Whoever takes longer than that does not answer in time, for the moment.
    const { status } = (isOld ? await asked() : known) ?? { status: 'timed_out' };
    for (const one of METRICS.orchestratorStatus.labels.status) gauge.set({ status: one }, one === status ? 1 : 0);
  });
}

/** One read at a time, for all who ask meanwhile; null where it fails, and `whileSlow` where it takes too long. */
function shared<T>(read: () => Promise<T | null>, whileSlow = (_last: T | null): T | null => null) {
  let reading: Promise<T | null> | null = null;
  let last: T | null = null;
  async function readOnce(): Promise<T | null> {
    try {
      last = await read();
    } catch {
      last = null;
    }
    reading = null;
    return last;
  }
  return (): Promise<T | null> => {
    reading ??= readOnce();
    return within(COUNT_TIMEOUT_MS, reading, whileSlow(last));
  };
}
