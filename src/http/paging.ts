import { z } from 'zod';

export const MAX_LIMIT = 500;
export const DEFAULT_LIMIT = 100;
export const BAD_CURSOR = 'must be the next_cursor of an earlier answer';
const MAX_CURSOR_LENGTH = 4_000;
const BAD_LIMIT = `must be a whole number from 1 to ${MAX_LIMIT}`;

/** How many of something a page holds at most. */
export const Limit = z
  .string()
  .regex(/^\d{1,3}$/, BAD_LIMIT)
  .transform(Number)
  .refine((limit) => limit >= 1 && limit <= MAX_LIMIT, BAD_LIMIT);

/** Where a page begins, opaque to callers: what `encodeCursor` wrote, in the form of `content`. */
export function cursorOf<T>(content: z.ZodType<T>) {
  return z
    .string()
    .max(MAX_CURSOR_LENGTH, BAD_CURSOR)
    .regex(/^[A-Za-z0-9_-]+$/, BAD_CURSOR)
    .transform((text, context) => {
      const decoded = content.safeParse(decode(text));
      if (decoded.success) return decoded.data;
      context.addIssue({ code: 'custom', message: BAD_CURSOR });
      return z.NEVER;
    });
}

export function encodeCursor(content: unknown): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}

function decode(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}
