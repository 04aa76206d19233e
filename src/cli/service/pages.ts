import { z } from 'zod';
import type { Query, ServiceClient } from './client.ts';

/** The service gives no more on one page. */
const MAX_PAGE = 500;
const Next = z.object({ next_cursor: z.string().nullable() });

/** All pages of a list as one document, as though they were one page. */
export interface Pages<T> {
  readonly json: unknown;
  readonly items: readonly T[];
  /** Null: there is nothing more. */
  readonly nextCursor: string | null;
}

export interface PagesRequest<T> {
  readonly path: string;
  /** Under which name the answer holds the items. */
  readonly name: string;
  readonly item: z.ZodType<T>;
  readonly query: Query;
  /** Null: all of them. */
  readonly limit: number | null;
}

/** Asks for page after page until the limit or the end. */
export async function readPages<T>(client: ServiceClient, request: PagesRequest<T>): Promise<Pages<T>> {
  const { path, name, item, query, limit } = request;
  const schema = z.object({ [name]: z.array(item) }).and(Next);
  const Raw = z.object({ [name]: z.array(z.unknown()) });
  const items: T[] = [];
  const raw: unknown[] = [];
  let cursor: string | undefined;
  for (;;) {
    const wanted = limit === null ? MAX_PAGE : Math.min(MAX_PAGE, limit - items.length);
    const { json, value } = await client.get(path, { ...query, limit: wanted, cursor }, schema);
    items.push(...z.array(item).parse(value[name]));
    raw.push(...(Raw.parse(json)[name] ?? []));
    const { next_cursor: next } = Next.parse(value);
    if (next === null || (limit !== null && items.length >= limit)) {
      return { json: { [name]: raw, next_cursor: next }, items, nextCursor: next };
    }
    cursor = next;
  }
}
