import { expect } from 'vitest';
import type { Alert, AlertChannel, SendResult } from '../../src/alerts/port.ts';
import type { RetryPolicy } from '../../src/core/policy.ts';
import { resolvePolicy } from '../../src/core/resolve-policy.ts';
import type { Rules } from '../../src/core/rules.ts';
import { createActiveRuns } from '../../src/engine/active-runs.ts';
import { createAnnouncer } from '../../src/engine/announcer.ts';
import { createDesk } from '../../src/engine/desk.ts';
import { createEvidenceReader } from '../../src/engine/evidence.ts';
import { createIntake } from '../../src/engine/intake.ts';
import { createLiveChanges } from '../../src/engine/live-changes.ts';
import type { Log } from '../../src/engine/log.ts';
import { createMemory } from '../../src/engine/memory.ts';
import { withPauses } from '../../src/engine/paused-policies.ts';
import { createPauses } from '../../src/engine/pauses.ts';
import type { ExplainedPolicy, PolicySource } from '../../src/engine/policy-source.ts';
import { createSearch, type SearchSettings } from '../../src/engine/search.ts';
import { createStepper } from '../../src/engine/steps.ts';
import { createSwapLoop } from '../../src/engine/swap-loop.ts';
import type { Telemetry } from '../../src/engine/telemetry.ts';
import { createWorker, type WorkerSettings } from '../../src/engine/worker.ts';
import type { ClearOutcome, ClearRequest, FoundRun, Orchestrator, Rehearsal } from '../../src/orchestrator/port.ts';
import { rulesWith } from '../core/policies.ts';
import { FAILED_AT_MS, FINGERPRINT } from '../support/records.ts';
import { createVirtualTimers } from '../support/timers.ts';
import { createMemoryStore } from './memory-store.ts';

/** Something that a test lets happen when it wants. */
export interface Gate {
  readonly passed: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}

/** Counts calls of telemetry as `name a b`. */
function createTelemetry(counts: Map<string, number>): Telemetry {
  const count =
    (name: string) =>
    (...labels: (string | number | boolean)[]) => {
      const words = [name, ...labels.filter((label) => typeof label !== 'number')].join(' ');
      counts.set(words, (counts.get(words) ?? 0) + 1);
    };
  return {
    reported: count('reported'),
    stepped: count('stepped'),
    cleared: count('cleared'),
    happened: ({ type, reason }) => count('happened')(type, reason),
    operated: count('operated'),
    observed: count('observed'),
    orchestratorCalled: count('orchestratorCalled'),
    storeCalled: count('storeCalled'),
    alerted: count('alerted'),
    storeLost: count('storeLost'),
    searched: count('searched'),
    foundFailed: count('foundFailed'),
    noted: count('noted'),
    swapConflict: count('swapConflict'),
    workFailed: count('workFailed'),
    lag: count('lag'),
    policyRead: count('policyRead'),
  };
}

export type Line = readonly ['debug' | 'info' | 'warn' | 'error', string, object];

/** What every line about a run carries, whichever test brings it about. */
const ABOUT_RUN = {
  run: expect.any(String),
  dag_id: expect.any(String),
  attempt: expect.toSatisfy((attempt: unknown) => attempt === null || typeof attempt === 'number'),
  decision: expect.any(String),
  reason: expect.any(String),
};

function createLog(lines: Line[]): Log {
  const write = (level: Line[0]) => (fields: object, message: string) => {
    if ('run' in fields || 'dag_run_id' in fields) expect.soft(fields, message).toMatchObject(ABOUT_RUN);
    lines.push([level, message, fields]);
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** The orchestrator as the test says it is; unless it says otherwise the run has failed and takes every clear. */
export interface Script {
  observe: Orchestrator['observe'];
  clear: (request: ClearRequest) => Promise<ClearOutcome> | ClearOutcome;
  rehearse: (request: ClearRequest) => Promise<Rehearsal> | Rehearsal;
  failedTasks: Orchestrator['failedTasks'];
  auditTrail: Orchestrator['auditTrail'];
  leastClears: Orchestrator['leastClears'];
  ownClears: Orchestrator['ownClears'];
  stoppedTasks: Orchestrator['stoppedTasks'];
  failedRuns: Orchestrator['failedRuns'];
  activeRuns: Orchestrator['activeRuns'];
  /** Whether the Dags' tags can be read. */
  areTagsKnown: boolean;
  policy: Partial<RetryPolicy>;
  /** The policy as it is explained: the built-in one. */
  explained: Pick<ExplainedPolicy, 'tagsKnown' | 'tagProblems'> & Partial<ExplainedPolicy>;
  /** What else decisions are made under: a pause, shadow mode. */
  rules: Partial<Omit<Rules, 'policy'>>;
  channels: Record<string, (alert: Alert) => Promise<SendResult> | SendResult>;
}

export const FAILED: FoundRun = { type: 'found', state: 'failed', fingerprint: FINGERPRINT, runType: null };

/** The engine's parts on virtual time, a store in memory and a scripted orchestrator. */
export function createHarness(settings: Partial<WorkerSettings> = {}) {
  const timers = createVirtualTimers({ startMs: FAILED_AT_MS + 60_000 });
  const store = createMemoryStore();
  const counts = new Map<string, number>();
  const lines: Line[] = [];
  const clears: ClearRequest[] = [];
  const rehearsals: ClearRequest[] = [];
  const sent: Alert[] = [];
  const script: Script = {
    observe: async () => FAILED,
    clear: () => ({ type: 'accepted', run: null }),
    rehearse: () => ({ type: 'rehearsed', tasks: 2 }),
    failedTasks: async () => ({ type: 'found', tasks: [] }),
    auditTrail: async () => ({ type: 'found', entries: [], isComplete: true, knowsUs: true }),
    leastClears: async () => ({ type: 'found', clears: 0 }),
    ownClears: async () => ({ type: 'found', clears: [], isComplete: true }),
    stoppedTasks: async () => ({ type: 'found', tasks: [] }),
    failedRuns: async () => ({ type: 'found', runs: [], unreadable: 0, next: null }),
    activeRuns: async () => ({ type: 'found', runs: [], rows: 0, total: 0 }),
    areTagsKnown: true,
    policy: {},
    explained: { tagsKnown: true, tagProblems: [] },
    rules: {},
    channels: { webhook: () => ({ type: 'accepted' }) },
  };
  const clock = { nowMs: timers.nowMs, schedule: timers.schedule };
  const scripted: PolicySource = {
    rulesFor: async (): Promise<Rules> =>
      rulesWith(script.policy, { ...script.rules, isProvisional: !script.areTagsKnown }),
    refresh: async () => script.areTagsKnown,
    explain: async () => ({ ...resolvePolicy([], {}, []), ...script.explained }),
  };
  const orchestrator: Orchestrator = {
    observe: (key) => script.observe(key),
    async clear(_key, request) {
      clears.push(request);
      return await script.clear(request);
    },
    async rehearse(_key, request) {
      rehearsals.push(request);
      return await script.rehearse(request);
    },
    describeDag: async () => ({ type: 'found', tags: [], isPaused: false }),
    failedTasks: (key) => script.failedTasks(key),
    auditTrail: (key) => script.auditTrail(key),
    leastClears: (key) => script.leastClears(key),
    ownClears: (sinceMs) => script.ownClears(sinceMs),
    stoppedTasks: (key, sinceMs) => script.stoppedTasks(key, sinceMs),
    failedRuns: (from) => script.failedRuns(from),
    activeRuns: (dagIds, skip) => script.activeRuns(dagIds, skip),
    annotate: () => Promise.reject(new Error('notes are off here')),
    health: async () => ({ type: 'reachable', name: 'scripted', version: '1' }),
    linkTo: () => 'https://airflow.example/run',
    close: async () => {},
  };
  const channels: AlertChannel[] = ['webhook', 'pager'].map((name) => ({
    name,
    async send(alert) {
      sent.push(alert);
      return (await script.channels[name]?.(alert)) ?? { type: 'accepted' };
    },
  }));
  const log = createLog(lines);
  const changes = createLiveChanges({ store, clock, log });
  const telemetry = createTelemetry(counts);
  const pauses = createPauses({ store, clock, log, telemetry, onChange: () => changes.note(null) });
  const policies = withPauses({ policies: scripted, pauses, clock, log });
  const deps = { store, clock, policies, pauses, orchestrator, channels, log, telemetry };
  const wake = { noteDue: (_atMs: number) => {} };
  const swapLoop = createSwapLoop({
    ...deps,
    random: () => 0.5,
    onChange: (key) => changes.note(key),
    onDue: (atMs) => wake.noteDue(atMs),
  });
  const memory = createMemory({ ...deps, swapLoop });
  const evidence = createEvidenceReader({ orchestrator, memory });
  const stepper = createStepper({ ...deps, swapLoop, evidence, activeRuns: createActiveRuns(deps) });
  const announcer = createAnnouncer({ ...deps, swapLoop });
  const worker = createWorker({
    ...deps,
    swapLoop,
    stepper,
    announcer,
    settings: { concurrency: 4, leaseMs: 90_000, pollIntervalMs: 1_000, ...settings },
  });
  wake.noteDue = worker.noteDue;
  const intake = createIntake({ ...deps, swapLoop });
  const openSearch = (search: SearchSettings) =>
    createSearch({ ...deps, swapLoop, memory, random: () => 0.5, settings: search });
  const desk = createDesk({ ...deps, swapLoop, changes });
  const engine = { desk, swapLoop, stepper, announcer, worker, intake, memory, openSearch };
  return { timers, store, counts, lines, clears, rehearsals, sent, script, policies, orchestrator, ...engine };
}

export type Harness = ReturnType<typeof createHarness>;
