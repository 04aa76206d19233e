import type { AlertChannel } from '../alerts/port.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import { createActiveRuns } from './active-runs.ts';
import { type AlertLinks, createAnnouncer } from './announcer.ts';
import type { Clock } from './clock.ts';
import { createDesk, type Desk } from './desk.ts';
import { createEvidenceReader } from './evidence.ts';
import { createIntake, type Intake } from './intake.ts';
import { createLiveChanges } from './live-changes.ts';
import type { Log } from './log.ts';
import { createMemory } from './memory.ts';
import { createNotes } from './notes.ts';
import { withPauses } from './paused-policies.ts';
import { createPauses } from './pauses.ts';
import type { PolicySource } from './policy-source.ts';
import { createSearch, type SearchSettings } from './search.ts';
import { createStepper } from './steps.ts';
import { createSwapLoop } from './swap-loop.ts';
import type { Telemetry } from './telemetry.ts';
import { tracingBy } from './traced.ts';
import type { Tracer } from './tracer.ts';
import { createWorker, WORKER_SETTINGS, type WorkerSettings } from './worker.ts';

export interface EngineDeps {
  readonly store: RunStore;
  readonly orchestrator: Orchestrator;
  readonly channels: readonly AlertChannel[];
  readonly links?: AlertLinks;
  readonly policies: PolicySource;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly telemetry: Telemetry;
  /** Without one nothing is traced. */
  readonly tracer?: Tracer;
  readonly workerSettings?: Partial<WorkerSettings>;
  /** Shadow mode: clears are only rehearsed, alerts say what would have been, nothing is written on runs. */
  readonly isShadow?: boolean;
  /** Whether people are told on the run what was decided about it. */
  readonly writesNotes?: boolean;
  /** Watch mode; without it only callbacks tell of failures. */
  readonly search?: SearchSettings;
}

/** Everything that decides, on handed-in time, randomness, store and orchestrator. */
export interface Engine {
  readonly intake: Intake;
  readonly desk: Desk;
  /** Begins to work on what is due. */
  start(): void;
  /** Takes nothing more, finishes what is in work. */
  stop(): Promise<void>;
}

export function createEngine(untraced: EngineDeps): Engine {
  const tracing = tracingBy(untraced.tracer);
  const given = tracing.ports(untraced);
  const { store, orchestrator, clock, log, telemetry } = given;
  const changes = createLiveChanges(given);
  const pauses = createPauses({ ...given, onChange: () => changes.note(null) });
  const deps = { ...given, policies: withPauses({ ...given, pauses }) };
  // The loop wakes for what the swaps schedule, and its own steps are swaps: the later one is handed in by reference.
  const wake = { noteDue: (_atMs: number) => {} };
  const notes = deps.writesNotes === true && deps.isShadow !== true ? createNotes(deps) : null;
  const swapLoop = tracing.swaps(
    createSwapLoop({
      ...deps,
      onChange(key, change) {
        notes?.changed(key, change);
        changes.note(key);
      },
      onDue: (atMs) => wake.noteDue(atMs),
    }),
  );
  const memory = createMemory({ ...deps, swapLoop });
  const worker = createWorker({
    store,
    swapLoop,
    stepper: tracing.steps(
      createStepper({
        ...deps,
        swapLoop,
        pauses,
        evidence: createEvidenceReader({ orchestrator, memory }),
        activeRuns: createActiveRuns(deps),
      }),
    ),
    announcer: tracing.announcer(createAnnouncer({ ...deps, swapLoop })),
    clock,
    log,
    telemetry,
    settings: { ...WORKER_SETTINGS, ...deps.workerSettings },
  });
  wake.noteDue = (atMs) => worker.noteDue(atMs);
  const search = deps.search === undefined ? null : createSearch({ ...deps, swapLoop, memory, settings: deps.search });
  return {
    intake: createIntake({ swapLoop, log, telemetry }),
    desk: createDesk({ ...deps, swapLoop, pauses, changes }),
    start() {
      memory.start();
      worker.start();
      search?.start();
    },
    async stop() {
      changes.stop();
      await Promise.all([memory.stop(), worker.stop(), search?.stop()]);
      await notes?.stop();
    },
  };
}
