import { hash } from 'node:crypto';
import { DagainError } from '../../core/errors.ts';
import type { RunKey } from '../../core/run-key.ts';

/** One hexadecimal digit of the member's hash. Changing it would lose all stored runs. */
export const SHARD_COUNT = 16;

/** U+001F sorts before every character that ids may hold, so that members sort by Dag id, then by run id. */
const SEPARATOR = '\u001f';

/** The keys of one shard; a common hash tag puts them into one slot of a Redis Cluster. */
export interface ShardKeys {
  /** Hash: member to `<version> <JSON>`. */
  readonly records: string;
  /** Sorted set: member by due time in ms; a member that is never due is not in it. */
  readonly due: string;
  /** Sorted set: all members with score 0, hence in the order of their bytes. */
  readonly members: string;
  /** The latest version given to any run of the shard. */
  readonly sequence: string;
  /** Stream: the journal entries of the shard's runs, each as JSON under `e`; the first shard's holds those of no run too. */
  readonly journal: string;
}

/** What pauses are kept in, in the slot of the first shard. */
export interface PauseKeys {
  /** Hash: scope to JSON. */
  readonly pauses: string;
  /** The journal that tells of them. */
  readonly journal: string;
}

/** A brace in the namespace would change the hash tag. */
export function checkedNamespace(namespace: string): string {
  if (/^[\w.:-]{1,100}$/.test(namespace)) return namespace;
  throw new DagainError(
    'configuration_invalid',
    `The namespace must be 1 to 100 letters, digits, ".", "_", "-" or ":", is ${JSON.stringify(namespace)}`,
  );
}

export function shardKeys(namespace: string): readonly ShardKeys[] {
  checkedNamespace(namespace);
  return Array.from({ length: SHARD_COUNT }, (_, shard) => {
    const tag = `{${namespace}:${shard}}`;
    return {
      records: `${tag}:records`,
      due: `${tag}:due`,
      members: `${tag}:members`,
      sequence: `${tag}:sequence`,
      journal: `${tag}:journal`,
    };
  });
}

/** The hash of the marks, in the slot of the first shard. */
export function marksKey(namespace: string): string {
  return `{${checkedNamespace(namespace)}:0}:marks`;
}

export function pauseKeys(namespace: string): PauseKeys {
  const tag = `{${checkedNamespace(namespace)}:0}`;
  return { pauses: `${tag}:pauses`, journal: `${tag}:journal` };
}

/** What a ping writes: value, hash, sorted set and stream, in the slot of the first shard. */
export function pingKeys(namespace: string): readonly string[] {
  const tag = `{${checkedNamespace(namespace)}:0}`;
  return ['value', 'hash', 'sorted_set', 'stream'].map((kind) => `${tag}:ping:${kind}`);
}

/** Names the run within its shard. */
export function memberOf({ dagId, dagRunId }: RunKey): string {
  if (dagId.includes(SEPARATOR) || dagRunId.includes(SEPARATOR)) {
    throw new TypeError('An id must not hold the control character U+001F');
  }
  return `${dagId}${SEPARATOR}${dagRunId}`;
}

/** The inverse of `memberOf`, or null for what we cannot have written. */
export function keyOfMember(member: string): RunKey | null {
  const [dagId, dagRunId, ...rest] = member.split(SEPARATOR);
  return dagId && dagRunId && rest.length === 0 ? { dagId, dagRunId } : null;
}

export function shardOf(member: string): number {
  return Number.parseInt(hash('sha256', member).charAt(0), 16);
}

/** Orders by UTF-8 bytes as Redis does; JavaScript's own order differs outside the basic plane. */
export function compareMembers(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
