import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { JournalPage, JournalQuery, JournalTail, KeptEntry } from '../port.ts';
import { decodeEntry } from '../stored-entry.ts';
import { comparePlaces, formatHead, formatPlace, type Place, parseHead, parsePlace, timeOf } from './journal-place.ts';
import { memberOf, type ShardKeys, shardOf } from './layout.ts';
import { MAX_LENGTH, type Send } from './scripts.ts';

/** How many entries of a shard are read at once where only those of one run are wanted. */
const SCAN_SIZE = 500;
/** The least that is read of a shard at once. */
const MIN_CHUNK = 20;
/** Before all that a stream can hold. */
const BEGINNING = '0-0';

const Length = z.int();
const Entries = z.array(z.tuple([z.string(), z.array(z.string())]));

interface Found extends Place {
  readonly text: string;
}

/** What has been read of one shard so far, in the order of reading. */
interface Reading {
  readonly stream: string;
  readonly shard: number;
  readonly found: readonly Found[];
  readonly isComplete: boolean;
}

/** Merges the shards, newest first; the entries of one run all lie in one shard. */
export async function readJournal(send: Send, shards: readonly ShardKeys[], query: JournalQuery): Promise<JournalPage> {
  const { key, limit } = query;
  const before = query.before === null ? null : parsePlace(query.before);
  if (limit < 1) return { entries: [], next: query.before };
  const streams = streamsOf(shards);
  const shard = key === undefined ? -1 : shardOf(memberOf(key));
  // One more than wanted tells whether that is the end.
  const found =
    key === undefined
      ? await readNewest(send, streams, before, limit + 1)
      : await readOfRun(
          send,
          streams.filter((one) => one.shard === shard),
          before,
          limit + 1,
          key,
        );
  const last = found[limit - 1];
  return {
    entries: found.slice(0, limit).flatMap(keptEntry),
    next: last !== undefined && found.length > limit ? formatPlace(last) : null,
  };
}

/** A shard may be full while others are not: what is whole begins where the last of the full ones does. */
export async function journalBegins(send: Send, shards: readonly ShardKeys[]): Promise<number | null> {
  const begins = await Promise.all(
    shards.map(async ({ journal }, shard) => {
      // Cutting leaves no fewer.
      if (Length.parse(await send(['XLEN', journal])) < MAX_LENGTH) return [];
      const oldest = foundIn(shard, await send(['XRANGE', journal, '-', '+', 'COUNT', '1']));
      return oldest.map((found) => decodeEntry(found.text)?.atMs ?? timeOf(found));
    }),
  );
  return begins.flat().reduce<number | null>((latest, atMs) => Math.max(latest ?? atMs, atMs), null);
}

export async function journalHead(send: Send, shards: readonly ShardKeys[]): Promise<string> {
  const latest = await Promise.all(
    shards.map(async ({ journal }) => Entries.parse(await send(['XREVRANGE', journal, '+', '-', 'COUNT', '1']))),
  );
  return formatHead(latest.map(([entry]) => entry?.[0] ?? BEGINNING));
}

/** Follows each shard by itself: their clock is one, but what two of them take at once is not read at once. */
export async function readJournalAfter(
  send: Send,
  shards: readonly ShardKeys[],
  head: string,
  limit: number,
): Promise<JournalTail> {
  const read = [...parseHead(head, shards.length)];
  if (limit < 1) return { entries: [], head };
  const found = await Promise.all(
    streamsOf(shards).map(async ({ stream, shard }) => {
      const command = ['XRANGE', stream, `(${read[shard]}`, '+', 'COUNT', String(limit)];
      return foundIn(shard, await send(command));
    }),
  );
  const oldest = found.flat().sort(comparePlaces).slice(0, limit);
  for (const { shard, streamId } of oldest) read[shard] = streamId;
  return { entries: oldest.flatMap(keptEntry), head: formatHead(read) };
}

/** The shards share the entries evenly: reading twice its part of each mostly does. */
async function readNewest(send: Send, streams: readonly Reading[], before: Place | null, count: number) {
  const chunk = Math.max(MIN_CHUNK, Math.ceil((2 * count) / streams.length));
  let readings = streams;
  while (true) {
    const newest = readings
      .flatMap(({ found }) => found)
      .sort((a, b) => comparePlaces(b, a))
      .slice(0, count);
    const oldest = newest.length < count ? undefined : newest.at(-1);
    const isBehind = ({ isComplete, found }: Reading) => {
      const last = found.at(-1);
      return !isComplete && (last === undefined || oldest === undefined || comparePlaces(last, oldest) >= 0);
    };
    if (!readings.some(isBehind)) return newest;
    readings = await Promise.all(
      readings.map((reading) => (isBehind(reading) ? readOn(send, reading, before, chunk) : reading)),
    );
  }
}

async function readOfRun(
  send: Send,
  [stream]: readonly Reading[],
  before: Place | null,
  count: number,
  key: RunKey,
): Promise<readonly Found[]> {
  const matching: Found[] = [];
  let reading = stream;
  while (reading !== undefined && !reading.isComplete && matching.length < count) {
    const next = await readOn(send, reading, before, SCAN_SIZE);
    matching.push(...next.found.slice(reading.found.length).filter(({ text }) => isOf(key, text)));
    reading = next;
  }
  return matching.slice(0, count);
}

/** A shard holds thousands of entries: most are told apart without parsing them. */
function isOf({ dagId, dagRunId }: RunKey, text: string): boolean {
  if (!text.includes(JSON.stringify(dagRunId))) return false;
  const entry = decodeEntry(text);
  return entry?.dagId === dagId && entry.dagRunId === dagRunId;
}

/** One chunk further back. */
async function readOn(send: Send, reading: Reading, before: Place | null, chunk: number): Promise<Reading> {
  const { stream, shard, found } = reading;
  const last = found.at(-1) ?? before;
  const command = ['XREVRANGE', stream, endBefore(last, shard), '-', 'COUNT', String(chunk)];
  const more = foundIn(shard, await send(command));
  return { stream, shard, found: [...found, ...more], isComplete: more.length < chunk };
}

/** What a shard holds under the same id stands before `place` only if the shard does. */
function endBefore(place: Place | null, shard: number): string {
  if (place === null) return '+';
  return shard < place.shard ? place.streamId : `(${place.streamId}`;
}

function streamsOf(shards: readonly ShardKeys[]): readonly Reading[] {
  return shards.map(({ journal }, shard) => ({ stream: journal, shard, found: [], isComplete: false }));
}

function foundIn(shard: number, answer: unknown): readonly Found[] {
  return Entries.parse(answer).map(([streamId, [, text = '']]) => ({ streamId, shard, text }));
}

function keptEntry(found: Found): readonly KeptEntry[] {
  const entry = decodeEntry(found.text);
  return entry === null ? [] : [{ id: formatPlace(found), entry }];
}
