import { z } from 'zod';

/** A URL with one of these protocols; `example` shows people what is meant. */
export const Url = (protocols: RegExp, example: string) =>
  z.url({ protocol: protocols, error: `must be a URL such as ${example}` });

export const Flag = z.enum(['true', 'false'], { error: 'must be true or false' }).transform((text) => text === 'true');

/** Digits only: Number() would also take ' ' for 0, which turns retries off. */
export const WholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export const LogLevel = z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` });

/** One secret, or two while one replaces the other. */
const Secrets = z
  .string()
  .transform((text) => text.split(',').map((one) => one.trim()))
  .pipe(
    z.array(z.string().min(8, 'must have at least 8 characters each')).max(2, 'may hold two at most, for rotation'),
  );

/** What can be sent in a header as it is: any other would never match. */
export const Tokens = Secrets.refine(
  (tokens) => tokens.every((token) => /^[\x21-\x7e]+$/.test(token)),
  'must be visible ASCII characters without blanks',
);

/** Whether a Standard Webhooks secret can be used: `whsec_` and base64, or any other text. */
function isUsable(secret: string): boolean {
  if (!secret.startsWith('whsec_')) return true;
  const encoded = secret.slice('whsec_'.length).replace(/=+$/, '');
  return encoded !== '' && Buffer.from(encoded, 'base64').toString('base64').replace(/=+$/, '') === encoded;
}

const UNUSABLE = 'must be whsec_ and base64, or any other text';

export const WebhookSecret = z.string().min(8, 'must have at least 8 characters').refine(isUsable, UNUSABLE);
export const WebhookSecrets = Secrets.refine((secrets) => secrets.every(isUsable), UNUSABLE);

/** Mail addresses without names, comma-separated. */
export const Addresses = (max: number) =>
  z
    .string()
    .transform((text) => text.split(',').map((one) => one.trim()))
    .pipe(
      z
        .array(
          z
            .string()
            .regex(/^[^\s<>()[\]"',;:\\@]{1,64}@[A-Za-z0-9.-]{1,255}$/, 'must be addresses such as a@example.com'),
        )
        .max(max, max === 1 ? 'must be one address' : `may hold ${max} addresses at most`),
    );
