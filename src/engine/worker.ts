import { phaseDueAtOf, type RunRecord } from '../core/record.ts';
import type { RunStore, TakenRun } from '../store/port.ts';
import type { Announcer } from './announcer.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { changeFields, codeOf, levelOf, runFields } from './log-fields.ts';
import type { Stepper } from './steps.ts';
import type { SwapLoop } from './swap-loop.ts';
import type { Telemetry } from './telemetry.ts';

export interface WorkerSettings {
  /** Runs in work at the same time, and as many whose alerts are being sent. */
  readonly concurrency: number;
  /** How long a taken run is left alone by everybody else; longer than one step can last. */
  readonly leaseMs: number;
  /** How often the store is asked when nothing is known to be due: what other replicas scheduled shows up then. */
  readonly pollIntervalMs: number;
}

export const WORKER_SETTINGS: WorkerSettings = { concurrency: 16, leaseMs: 120_000, pollIntervalMs: 1_000 };

export interface WorkerDeps {
  readonly store: RunStore;
  readonly swapLoop: SwapLoop;
  readonly stepper: Stepper;
  readonly announcer: Announcer;
  readonly clock: Clock;
  readonly log: Log;
  readonly telemetry: Telemetry;
  readonly settings: WorkerSettings;
}

/** The due loop. Every replica runs the same one. */
export interface Worker {
  start(): void;
  /** Tells that something is due at `atMs`, so that the loop need not find out by polling. */
  noteDue(atMs: number): void;
  /** Takes nothing more, finishes what is in work, hands back what it has not begun. */
  stop(): Promise<void>;
}

export function createWorker(deps: WorkerDeps): Worker {
  const { store, clock, log, telemetry, settings } = deps;
  const inWork = new Set<Promise<void>>();
  /** Apart from the others: receivers that hang must not take the places of retries. */
  const announcing = new Set<Promise<void>>();
  /** Before the start nothing is taken, whatever falls due; after a stop nothing more. */
  let isRunning = false;
  let isTaking = false;
  let takeAgain = false;
  /** What the store was last out for, so that it is said once. */
  let outage: string | null = null;
  let wakeAtMs = Number.POSITIVE_INFINITY;
  let cancelWake = () => {};
  let taking: Promise<void> = Promise.resolve();

  function wakeAt(atMs: number): void {
    if (!isRunning || atMs >= wakeAtMs) return;
    cancelWake();
    wakeAtMs = atMs;
    cancelWake = clock.schedule(Math.max(0, atMs - clock.nowMs()), () => {
      wakeAtMs = Number.POSITIVE_INFINITY;
      if (isTaking) takeAgain = true;
      else taking = take();
    });
  }

  /** Fills the free places with due runs; one call at a time, so that no more is leased than can be begun. */
  async function take(): Promise<void> {
    isTaking = true;
    try {
      do {
        takeAgain = false;
        const free = settings.concurrency - inWork.size;
        if (free <= 0 || !isRunning) break;
        const taken = await store.takeDue(clock.nowMs(), free, settings.leaseMs);
        if (outage !== null) log.info({ reason: outage }, 'the store tells again what is due');
        outage = null;
        for (const run of taken) begin(run);
        takeAgain ||= taken.length === free;
      } while (takeAgain);
    } catch (error) {
      const reason = codeOf(error);
      log[outage === reason ? 'debug' : levelOf(error)]({ err: error, reason }, 'could not ask the store what is due');
      outage = reason;
    } finally {
      isTaking = false;
      wakeAt(clock.nowMs() + settings.pollIntervalMs);
    }
  }

  function begin(run: TakenRun): void {
    const isAnnouncement = 'record' in run && !isPhaseDue(run.record.value) && isRunning;
    const places = isAnnouncement ? announcing : inWork;
    // Without a place it stays leased, and its alerts go out a little later.
    if (places.size >= settings.concurrency && isAnnouncement) return;
    const work = handle(run)
      .catch((error: unknown) => {
        telemetry.workFailed();
        const attempt = 'record' in run ? run.record.value.attempt : null;
        const fields = runFields(run.key, { attempt, decision: 'undecided', reason: codeOf(error) }, { err: error });
        log[levelOf(error)](fields, 'work on a run failed; it is taken again after its lease');
      })
      .finally(() => {
        places.delete(work);
        wakeAt(clock.nowMs());
      });
    places.add(work);
  }

  function isPhaseDue(record: RunRecord): boolean {
    const dueAtMs = phaseDueAtOf(record);
    return dueAtMs !== null && dueAtMs <= clock.nowMs();
  }

  async function handle(run: TakenRun): Promise<void> {
    if (!isRunning) return handBack(run);
    if ('problem' in run) return replaceLost(run);
    const { value: record } = run.record;
    if (!isPhaseDue(record)) return deps.announcer.announce(run.key, record);
    telemetry.lag(clock.nowMs() - (phaseDueAtOf(record) ?? clock.nowMs()));
    // Its swap ends the lease, so that alerts that are due as well are taken at once, and are sent once.
    await deps.stepper.step(run.key, run.record);
  }

  /** A swap to the same value ends the lease. */
  async function handBack(run: TakenRun): Promise<void> {
    if ('problem' in run) return;
    await store.compareAndSwap(run.key, run.record.version, run.record.value);
  }

  /** The index knows a run whose record is gone or unreadable: it is counted anew by evidence, or given up. */
  async function replaceLost(run: Extract<TakenRun, { problem: string }>): Promise<void> {
    const { problem, detail, version } = run;
    const lost = { type: 'state_lost', problem, detail, clears: 0 } as const;
    const applied = await deps.swapLoop.replaceLost(run.key, version, lost);
    // Null: somebody has reported on the run meanwhile, and so it has a record again.
    if (applied === null) return;
    log.error(changeFields(run.key, applied, { problem, detail }), 'the record of a run is lost');
  }

  return {
    start() {
      isRunning = true;
      wakeAt(clock.nowMs());
    },
    noteDue: wakeAt,
    async stop() {
      isRunning = false;
      cancelWake();
      await taking;
      await Promise.all([...inWork, ...announcing]);
    },
  };
}
