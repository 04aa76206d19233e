import { whoStopped } from '../evidence.ts';
import type { Facts } from './facts.ts';
import { utc } from './words.ts';

/** What Airflow shows, in a sentence or two. */
export function airflowWords({ observation, trail }: Pick<Facts, 'observation' | 'trail'>): string[] {
  return [stateWords(observation), ...auditWords(trail)];
}

/** Whether Airflow could not be asked, in what way, and what that means. */
export function airflowTrouble({ observation, trail }: Pick<Facts, 'observation' | 'trail'>): string[] {
  if (observation.type === 'unavailable') {
    return [`${stateWords(observation)} No clear is sent until it answers.`];
  }
  if (trail.type !== 'unavailable' || trail.reason === 'forbidden') return [];
  return [`Airflow's audit log cannot be read (${trail.reason}): no clear is sent without it.`];
}

function stateWords(observation: Facts['observation']): string {
  switch (observation.type) {
    case 'missing':
      return 'Airflow knows no such run.';
    case 'unavailable':
      return `Airflow cannot be asked (${observation.reason}: ${observation.detail}).`;
    case 'found': {
      const { state, fingerprint } = observation;
      const { queuedAtMs, startedAtMs, endedAtMs } = fingerprint;
      const since = state === 'queued' ? queuedAtMs : state === 'running' ? startedAtMs : endedAtMs;
      const how = state === 'queued' || state === 'running' ? `${state} since` : `${WORDS[state]} at`;
      return since === null ? `Airflow shows the run ${state}.` : `Airflow shows the run ${how} ${utc(since)}.`;
    }
  }
}

const WORDS = { failed: 'failed', success: 'successful' } as const;

function auditWords(trail: Facts['trail']): string[] {
  if (trail.type === 'unavailable') {
    return [`Airflow's audit log cannot be read (${trail.reason}): who has restarted or stopped the run is not known.`];
  }
  const clears = trail.entries.filter(({ action }) => action === 'cleared');
  const last = clears.at(-1);
  const by = whoStopped(trail.entries);
  return [
    ...(last === undefined
      ? []
      : [`It was last cleared at ${utc(last.atMs)} by ${last.isOurs ? 'dagain' : (last.owner ?? 'somebody')}.`]),
    ...(by === null ? [] : [`${by} has set it, or a task of it, to failed by hand.`]),
  ];
}
