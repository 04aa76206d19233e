import { z } from 'zod';

/** One word or several, comma-separated, as a query writes them. */
export function wordsOf<const W extends string>(values: readonly W[]) {
  const message = `must be one or several of ${values.join(', ')}, comma-separated`;
  return z.string().transform((text, context): W[] => {
    const words = z.array(z.enum(values)).safeParse(text.split(','));
    if (words.success) return words.data;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}
