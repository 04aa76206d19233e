import { z } from 'zod';

/** More at once than anybody means; the limits are far below. */
const MAX_GRANT = 100;

/** On one line and in the order that it is read in, so that it can stand in notes, alerts and tables. */
export const Actor = z
  .string()
  .max(200)
  .trim()
  .min(1, 'must name who acts')
  .refine((name) => !/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/u.test(name), 'must not hold control characters');
export const Comment = z.string().max(1_000).trim().nullish().describe('Why; shown in the timeline.');
export const Retries = z.int().min(1).max(MAX_GRANT).describe('How many more than the policy allows.');

/** Who acts, and why. */
export const OperationBody = z.strictObject({ actor: Actor, comment: Comment });
export const GrantBody = OperationBody.extend({ retries: Retries });
