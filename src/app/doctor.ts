import type { Logger } from 'pino';
import type { Environment } from '../config/environment.ts';
import { DagainError } from '../core/errors.ts';
import { type Check, fail } from '../core/finding.ts';
import type { Clock } from '../engine/clock.ts';
import { createAirflowProbes } from '../orchestrator/airflow/probes.ts';
import { createChannels } from './channels.ts';
import { airflowOptionsFrom, openState, type State } from './parts.ts';

/** What surrounds a service with these settings, to be checked rather than used. */
export interface Surroundings {
  /** Opened at the first call; rejects where it cannot be. */
  openState(): Promise<State>;
  readonly airflowChecks: readonly Check[];
  /** The names of the configured alert channels. */
  readonly channels: readonly string[];
  /** Closes what was opened, and what opens late. */
  close(): Promise<void>;
}

export function createSurroundings(environment: Environment, clock: Clock, log: Logger): Surroundings {
  let state: Promise<State> | null = null;
  const airflow = airflowProbes(environment, clock, log);
  return {
    openState() {
      state ??= openState(environment, clock, log);
      return state;
    },
    airflowChecks: airflow.checks,
    channels: createChannels(environment, clock.nowMs).map(({ name }) => name),
    async close() {
      const closingState = state?.then(
        (opened) => opened.close(),
        () => undefined,
      );
      await Promise.all([closingState, airflow.close()]);
    },
  };
}

function airflowProbes(
  environment: Environment,
  clock: Clock,
  log: Logger,
): { checks: readonly Check[]; close(): Promise<void> } {
  try {
    return createAirflowProbes(airflowOptionsFrom(environment, clock, log));
  } catch (error) {
    if (!(error instanceof DagainError)) throw error;
    const finding = fail(
      error.message,
      'Set DAGAIN_AIRFLOW_URL to where Airflow answers, for example http://airflow:8080.',
    );
    return { checks: [{ name: 'airflow', run: async () => finding }], close: async () => {} };
  }
}
