import { z } from 'zod';
import type { TakenRun } from '../port.ts';
import { compareMembers, keyOfMember, type ShardKeys } from './layout.ts';
import { runScript, type Send, TAKE_DUE } from './scripts.ts';
import { readStoredValue } from './stored-value.ts';

const Pairs = z.array(z.string());
const Triples = z.array(z.string().nullable());

interface DueMember {
  readonly member: string;
  readonly dueMs: number;
}

/**
 * Looks at all shards, decides how many of the most overdue runs each one has, and takes that many from each: never
 * more than `limit` in all, also when others take at the same time.
 */
export async function takeDue(
  send: Send,
  shards: readonly ShardKeys[],
  nowMs: number,
  limit: number,
  leaseMs: number,
): Promise<readonly TakenRun[]> {
  if (limit < 1) return [];
  const seen = await Promise.all(shards.map((shard) => peekDue(send, shard, nowMs, limit)));
  const share = shareOf(seen, limit);
  const wanted = shards.map((shard, index) => ({ shard, count: share[index] ?? 0 })).filter(({ count }) => count > 0);
  const answers = await Promise.allSettled(
    wanted.map(({ shard, count }) => takeFromShard(send, shard, nowMs, count, nowMs + leaseMs)),
  );
  const taken = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const failed = answers.find((answer) => answer.status === 'rejected');
  // What one shard gave is worth working on, even where another could not answer: its leases have begun.
  if (failed !== undefined && taken.length === 0) throw failed.reason;
  return taken.sort(byDue).flatMap(({ run }) => run ?? []);
}

async function peekDue(send: Send, shard: ShardKeys, nowMs: number, limit: number): Promise<readonly DueMember[]> {
  const command = ['ZRANGEBYSCORE', shard.due, '-inf', String(nowMs), 'WITHSCORES', 'LIMIT', '0', String(limit)];
  const pairs = Pairs.parse(await send(command));
  return groupsOf(pairs, 2).map(([member = '', dueMs]) => ({ member, dueMs: Number(dueMs) }));
}

/** How many of the `limit` most overdue members lie in each shard. */
function shareOf(seen: readonly (readonly DueMember[])[], limit: number): readonly number[] {
  const all = seen.flatMap((members, index) => members.map((member) => ({ ...member, index })));
  const share = seen.map(() => 0);
  for (const { index } of all.sort(byDue).slice(0, limit)) share[index] = (share[index] ?? 0) + 1;
  return share;
}

async function takeFromShard(send: Send, shard: ShardKeys, nowMs: number, count: number, leaseEndMs: number) {
  const args = [String(nowMs), String(count), String(leaseEndMs)];
  const triples = Triples.parse(await runScript(send, TAKE_DUE, [shard.records, shard.due], args));
  return groupsOf(triples, 3).map(([member, dueMs, value = null]) => {
    const key = keyOfMember(member ?? '');
    // A member that we cannot have written names no run; it stays under its lease.
    return { member: member ?? '', dueMs: Number(dueMs), run: key === null ? null : readStoredValue(key, value) };
  });
}

function groupsOf<T>(values: readonly T[], size: number): readonly T[][] {
  return Array.from({ length: Math.floor(values.length / size) }, (_, at) => values.slice(at * size, (at + 1) * size));
}

function byDue(a: DueMember, b: DueMember): number {
  return a.dueMs - b.dueMs || compareMembers(a.member, b.member);
}
