import { DagainError } from '../../core/errors.ts';

/** Where an entry stands: the id that Redis gave it in its shard's stream, and the shard. */
export interface Place {
  readonly streamId: string;
  readonly shard: number;
}

const STREAM_ID = /^(\d{1,16})-(\d{1,16})$/;
/** Before all entries: Redis gives it to none, and refuses to read what stands before it. */
const BEGINNING = /^0+-0+$/;

export function formatPlace({ streamId, shard }: Place): string {
  return `${streamId}.${shard}`;
}

/** @throws DagainError `cursor_invalid` */
export function parsePlace(text: string): Place {
  const [streamId = '', shard = '', ...rest] = text.split('.');
  if (!STREAM_ID.test(streamId) || BEGINNING.test(streamId)) throw invalidCursor();
  if (!/^\d{1,2}$/.test(shard) || rest.length > 0) throw invalidCursor();
  return { streamId, shard: Number(shard) };
}

/** The ids up to which each shard has been read. */
export function formatHead(streamIds: readonly string[]): string {
  return streamIds.join('_');
}

/** @throws DagainError `cursor_invalid` */
export function parseHead(text: string, shardCount: number): readonly string[] {
  const streamIds = text.split('_');
  if (streamIds.length !== shardCount || !streamIds.every((id) => STREAM_ID.test(id))) throw invalidCursor();
  return streamIds;
}

/** By Redis's clock, then in a fixed order: negative where `a` is the older one. */
export function comparePlaces(a: Place, b: Place): number {
  const [aMs, aNumber] = partsOf(a.streamId);
  const [bMs, bNumber] = partsOf(b.streamId);
  return aMs - bMs || aNumber - bNumber || a.shard - b.shard;
}

/** When Redis took what stands there, in epoch milliseconds of its clock. */
export function timeOf({ streamId }: Place): number {
  const [ms] = partsOf(streamId);
  return ms;
}

function partsOf(streamId: string): readonly [ms: number, number: number] {
  const [, ms, number] = STREAM_ID.exec(streamId) ?? [];
  return [Number(ms), Number(number)];
}

function invalidCursor(): DagainError {
  return new DagainError('cursor_invalid', 'This is no place in the journal that Redis has given');
}
