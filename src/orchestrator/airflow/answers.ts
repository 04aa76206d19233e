import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { UnavailableReason } from '../port.ts';
import type { HttpAnswer, HttpResult } from './http.ts';

/** A call that brought nothing usable; the port's observation has the same shape. */
export interface Unavailable {
  readonly type: 'unavailable';
  readonly reason: UnavailableReason;
  readonly detail: string;
  readonly retryAfterMs: number | null;
}

export function unavailable(
  reason: UnavailableReason,
  detail: string,
  retryAfterMs: number | null = null,
): Unavailable {
  return { type: 'unavailable', reason, detail, retryAfterMs };
}

/** Words the result of the request `name` as the outage it is. */
export function toUnavailable(name: string, result: HttpResult): Unavailable {
  if (result.type === 'failure') return unavailable(result.reason, result.detail, result.retryAfterMs);
  return unavailable(reasonOf(result), describe(name, result), result.retryAfterMs);
}

export function describe(name: string, answer: HttpAnswer): string {
  if (answer.redirectedTo !== null) {
    return `${name} answered ${answer.status}, a redirect to ${answer.redirectedTo}, which is not followed`;
  }
  const kind = answer.json === undefined ? ' without JSON' : '';
  const said = answer.excerpt === '' ? '' : `: ${answer.excerpt}`;
  return `${name} answered ${answer.status}${kind}${said}`;
}

function reasonOf(answer: HttpAnswer): UnavailableReason {
  if (rejectsToken(answer)) return 'unauthorized';
  if (answer.status === 403) return 'forbidden';
  if (answer.status === 429) return 'rate_limited';
  if (answer.status >= 500) return 'server_error';
  return 'unexpected_answer';
}

/** `toUnavailable` where retries go on without what our user may not read: a proxy's page does not say that it may not. */
export function toUnreadable(name: string, answer: HttpAnswer): Unavailable {
  const outage = toUnavailable(name, answer);
  return answer.json === undefined ? asPassing(outage) : outage;
}

/** A refusal of another request than the read itself, which says nothing of what our user may read: it may pass. */
export function asPassing(outage: Unavailable): Unavailable {
  return outage.reason === 'forbidden' ? { ...outage, reason: 'unexpected_answer' } : outage;
}

const InvalidToken = z.object({ detail: z.string().regex(/invalid jwt token/i) });

/** 401, or Airflow 3's 403 for a token whose signing key was rotated. Both mean that nothing was done. */
export function rejectsToken(answer: HttpAnswer): boolean {
  return answer.status === 401 || (answer.status === 403 && InvalidToken.safeParse(answer.json).success);
}

// What both major versions answer to a path that they do not know.
const NO_SUCH_ROUTE = /^(API route not found|\/api\/v1 has been removed in Airflow 3)/;
const NoSuchRoute = z.object({ error: z.string().regex(NO_SUCH_ROUTE) });

// Airflow 2 puts some of its sentences in `title`, with `detail` null.
const Sentences = z.object({ detail: z.string().nullish(), title: z.string().nullish() });

/**
 * What a 404 says is missing. `run`: Airflow names this very run. `dag`: Airflow knows the run but has no code for its
 * Dag at the moment. `route`: Airflow has no such path, so its version is another than believed. `unknown`: nothing that
 * Airflow says, such as a proxy's page or the bare `Not Found` of a wrong path; nothing follows from it.
 */
export function whatIsMissing(answer: HttpAnswer, key: RunKey): 'run' | 'dag' | 'route' | 'unknown' {
  if (NoSuchRoute.safeParse(answer.json).success) return 'route';
  const sentences = Sentences.safeParse(answer.json);
  if (!sentences.success) return 'unknown';
  const texts = [sentences.data.detail, sentences.data.title].filter((text) => typeof text === 'string');
  const says = (phrases: readonly string[]) => phrases.some((phrase) => texts.some((text) => text.includes(phrase)));
  if (says(runPhrases(key.dagRunId))) return 'run';
  return says(dagPhrases(key.dagId)) ? 'dag' : 'unknown';
}

// Whole phrases with the id in its place: an id can be as short as one letter, which every sentence holds somewhere.
function runPhrases(id: string): string[] {
  return [`run_id: \`${id}\` was not found`, `DagRun ID: '${id}' not found`, `Dag Run id ${id} not found in dag `];
}

function dagPhrases(id: string): string[] {
  return [
    `Dag with id ${id} was not found`,
    `Dag with ID: \`${id}\` was not found`,
    `DAG with dag_id: \`${id}\` was not found`,
    `Dag id ${id} not found`,
  ];
}
