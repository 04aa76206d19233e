import { DagainError } from '../core/errors.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import { measureCalls } from './measured.ts';
import type { Telemetry } from './telemetry.ts';

export interface MeasureDeps {
  readonly telemetry: Pick<Telemetry, 'storeCalled' | 'orchestratorCalled'>;
  /** Milliseconds that only ever grow. */
  readonly nowMs: () => number;
}

/** Tells how long each call of the store took, and whether it worked. */
export function measureStore<S extends RunStore>(store: S, { telemetry, nowMs }: MeasureDeps): S {
  return measureCalls(store, {
    nowMs,
    resultOf: (operation, answer) => (operation === 'compare_and_swap' && answer === null ? 'conflict' : 'ok'),
    failureOf,
    tell: telemetry.storeCalled,
  });
}

/** Tells how long each call of the orchestrator took, and why there was no answer where there was none. */
export function measureOrchestrator(orchestrator: Orchestrator, { telemetry, nowMs }: MeasureDeps): Orchestrator {
  return measureCalls(orchestrator, {
    nowMs,
    resultOf: (_operation, answer) => reasonOf(answer) ?? 'ok',
    failureOf,
    tell: telemetry.orchestratorCalled,
  });
}

function failureOf(error: unknown): string {
  return error instanceof DagainError ? error.code : 'error';
}

/** Outages are values, which all say why in the same place. */
function reasonOf(answer: unknown): string | null {
  if (typeof answer !== 'object' || answer === null || !('reason' in answer)) return null;
  return typeof answer.reason === 'string' ? answer.reason : null;
}
