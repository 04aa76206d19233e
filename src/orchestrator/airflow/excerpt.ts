import { z } from 'zod';

/** Longest excerpt of an answer that a detail or a log line quotes, in characters. */
const MAX_EXCERPT_LENGTH = 200;

// The shapes in which Airflow, and most proxies, say what was wrong.
const Explanation = z.union([
  z.object({ detail: z.string().min(1) }).transform(({ detail }) => detail),
  z.object({ title: z.string().min(1) }).transform(({ title }) => title),
  z.object({ error: z.string().min(1) }).transform(({ error }) => error),
  z.object({ message: z.string().min(1) }).transform(({ message }) => message),
]);

/**
 * One short printable line of what an answer said, without `secrets`: a proxy's error page may echo the request, and
 * control characters could forge log lines. Secrets go before the text is cut, so that none is left in part.
 */
export function excerptOf(text: string, json: unknown, secrets: readonly string[]): string {
  const explanation = Explanation.safeParse(json);
  const said = explanation.success ? explanation.data : text;
  const line = redact(said, secrets)
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  return line.length <= MAX_EXCERPT_LENGTH ? line : `${line.slice(0, MAX_EXCERPT_LENGTH)}...`;
}

/** Takes `secrets` out of `text`, also in the forms that URLs, forms and JSON give them. */
export function redact(text: string, secrets: readonly string[]): string {
  let redacted = text;
  for (const secret of secrets) {
    for (const form of formsOf(secret)) redacted = redacted.replaceAll(form, '[redacted]');
  }
  return redacted;
}

function formsOf(secret: string): Set<string> {
  const forms = new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed())]);
  forms.delete('');
  return forms;
}
