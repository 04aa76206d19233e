import type { z } from 'zod';

/** The variables of a process, such as `process.env`. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** A setting: its schema, what it is for, and whether it is a secret (then `NAME_FILE` works as well). */
export interface Setting<T> {
  readonly schema: z.ZodType<T>;
  readonly description: string;
  readonly fallback: string | null;
  readonly secret?: boolean;
}

/** A setting, in one line. */
export function setting<T>(
  schema: z.ZodType<T>,
  fallback: string | null,
  description: string,
  secret = false,
): Setting<T> {
  return { schema, description, fallback, secret };
}
