import { DagainError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/engine/log.ts';
import type { Telemetry } from '../../../src/engine/telemetry.ts';
import type { Journal } from '../journal.ts';
import type { Life } from './life.ts';

/** An error that nobody expects is a bug, even where the engine lives on. */
export function createSimLog(life: Life, journal: Journal): Log {
  const expected = new Set(['store_unavailable', 'store_contention']);
  return {
    debug() {},
    info() {},
    warn() {},
    error(fields, message) {
      const err = 'err' in fields ? fields.err : null;
      if (err === null || (err instanceof DagainError && expected.has(err.code))) return;
      journal.violate(
        'no unexpected errors',
        `${life.name}: ${message}: ${err instanceof Error ? err.stack : String(err)}`,
      );
    },
  };
}

/** So that the summary shows which states the seeds reach. */
export function createSimTelemetry(journal: Journal): Telemetry {
  return {
    reported: (decision) => journal.count(`answer: ${decision}`),
    stepped: (reason) => journal.count(`step: ${reason}`),
    cleared: (outcome) => journal.count(`clear: ${outcome}`),
    happened: ({ type, reason }) => journal.count(`journal: ${type} (${reason})`),
    operated() {},
    observed: (result) => journal.count(`look: ${result}`),
    orchestratorCalled() {},
    storeCalled() {},
    alerted: (_channel, result) => journal.count(result === 'accepted' ? 'alerts: accepted' : 'alerts: not accepted'),
    storeLost: (how) => journal.count(`store: found to be ${how}`),
    searched: (result) => journal.count(`failed runs: ${result}`),
    foundFailed: (result) => journal.count(`found failed run: ${result}`),
    noted: (result) => journal.count(`notes: ${result}`),
    swapConflict: () => journal.count('store: swap conflicts'),
    workFailed: () => journal.count('work that failed'),
    lag() {},
    policyRead() {},
  };
}
