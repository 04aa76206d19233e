import { DagainError } from '../../core/errors.ts';

const FORBIDDEN =
  'does not let this user do what is needed: allow it EVAL and all commands that read and write keys, on all our keys';

/** What a word of the answer means, and what to do about it. */
const ADVICE: readonly (readonly [word: string, advice: string])[] = [
  ['OOM', 'is out of memory: raise its maxmemory or free memory'],
  ['READONLY', 'is a read-only replica: give the URL of the primary'],
  ['MISCONF', 'cannot save to its disk and refuses writes: look at its log and its free space'],
  ['NOREPLICAS', 'has too few replicas and refuses writes: look at min-replicas-to-write'],
  ['LOADING', 'is still loading its data'],
  ['MASTERDOWN', 'is a replica without its primary'],
  ['BUSY', 'is busy with a script that does not end'],
  ['NOAUTH', 'asks for a password: put it into the URL'],
  ['WRONGPASS', 'refuses the user name or the password of the URL'],
  ['NOPERM', FORBIDDEN],
  // So it says where it is a script that runs the command.
  ["user executing the script can't", FORBIDDEN],
  ['CLUSTERDOWN', 'is a cluster that does not serve'],
];

/**
 * Says in words what `cause`, caught from the client, means for the store. All is `store_unavailable` but a key of
 * another type (`store_corrupt`) and a cluster of several nodes (`store_unsupported`).
 */
export function redisError(address: string, cause: unknown): DagainError {
  if (cause instanceof DagainError) return cause;
  const text = textOf(cause);
  if (/\bWRONGTYPE\b/.test(text)) {
    const advice = 'holds a key of another type under our name: give DAGAIN_NAMESPACE a name that nothing else uses';
    return new DagainError('store_corrupt', `Redis at ${address} ${advice}`, { cause });
  }
  if (/^(MOVED|ASK|CROSSSLOT)\b/.test(text)) return clusterError(address, cause);
  const known = ADVICE.find(([word]) => new RegExp(`\\b${word}\\b`).test(text));
  const what = known === undefined ? 'does not serve' : known[1];
  return new DagainError('store_unavailable', `Redis at ${address} ${what} (${text})`, { cause });
}

export function clusterError(address: string, cause?: unknown): DagainError {
  const text = `Redis at ${address} is one of several nodes of a cluster, which is not supported: use a single primary`;
  return new DagainError('store_unsupported', text, { cause });
}

/** Whether Redis itself has refused a command, as opposed to an outage: it is not allowed or does not exist. */
export function isRefusal(error: unknown): boolean {
  return error instanceof DagainError && /^(NOPERM|ERR)\b/.test(textOf(error.cause));
}

/** Whether a replica has answered where the primary should. */
export function isFromReplica(error: unknown): boolean {
  return /\b(READONLY|MASTERDOWN)\b/.test(textOf(error));
}

/** A connection attempt over several addresses fails with an empty message and the reasons inside. */
function textOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return cause.errors.map(textOf).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}
