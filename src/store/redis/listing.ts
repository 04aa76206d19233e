import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { ListPage } from '../port.ts';
import { compareMembers, keyOfMember, memberOf, type ShardKeys } from './layout.ts';
import type { Send } from './scripts.ts';
import { readStoredValue } from './stored-value.ts';

const Members = z.array(z.string());
const Values = z.array(z.string().nullable());
const Size = z.int().nonnegative();

/** Merges the shards' members, which are each in order of bytes, and reads the values of one page. */
export async function listPage(
  send: Send,
  shards: readonly ShardKeys[],
  after: RunKey | null,
  limit: number,
): Promise<ListPage> {
  if (limit < 1) return { records: [], next: after };
  const from = after === null ? '-' : `(${memberOf(after)}`;
  const found = await Promise.all(
    shards.map(async (shard) => {
      const command = ['ZRANGEBYLEX', shard.members, from, '+', 'LIMIT', '0', String(limit + 1)];
      return Members.parse(await send(command)).map((member) => ({ member, shard }));
    }),
  );
  const ordered = found.flat().sort((a, b) => compareMembers(a.member, b.member));
  const page = ordered.slice(0, limit);
  const values = await readValues(send, page);
  const records = page.flatMap(({ member }) => {
    const key = keyOfMember(member);
    const run = key === null ? null : readStoredValue(key, values.get(member) ?? null);
    return run !== null && 'record' in run ? [run.record] : [];
  });
  const last = page.at(-1);
  return { records, next: last !== undefined && ordered.length > limit ? keyOfMember(last.member) : null };
}

async function readValues(send: Send, page: readonly { member: string; shard: ShardKeys }[]) {
  const values = new Map<string, string | null>();
  const byShard = Map.groupBy(page, ({ shard }) => shard.records);
  await Promise.all(
    [...byShard].map(async ([records, entries]) => {
      const members = entries.map(({ member }) => member);
      const answer = Values.parse(await send(['HMGET', records, ...members]));
      for (const [at, member] of members.entries()) values.set(member, answer[at] ?? null);
    }),
  );
  return values;
}

/** Adds up all shards. */
export async function countRuns(send: Send, shards: readonly ShardKeys[], nowMs: number) {
  const sizes = await Promise.all(
    shards.map(async (shard) => ({
      records: Size.parse(await send(['HLEN', shard.records])),
      due: Size.parse(await send(['ZCOUNT', shard.due, '-inf', String(nowMs)])),
    })),
  );
  return {
    records: sizes.reduce((sum, { records }) => sum + records, 0),
    due: sizes.reduce((sum, { due }) => sum + due, 0),
  };
}
