import { createHash } from 'node:crypto';
import type { Alert, AlertChannel, SendResult } from './port.ts';
import { clipEscaped, oneLine } from './text.ts';
import { causesOf, factsOf, linksOf, summarise, titleOf } from './wording.ts';

export interface EmailSettings {
  /** `smtp://user:password@host:587` (STARTTLS where the server offers it) or `smtps://`. */
  readonly url: string;
  readonly from: string;
  readonly to: readonly string[];
  /** For the whole conversation with the server. */
  readonly timeoutMs: number;
}

const MAX_SUBJECT_LENGTH = 200;
const MAX_LINE_LENGTH = 2_000;

/** Sends mail over SMTP, one message to all recipients; all messages on one incident are one thread. */
export function createEmailChannel(settings: EmailSettings): AlertChannel {
  return {
    name: 'email',
    async send(alert) {
      try {
        // Loaded where it is needed: most services send no mail.
        const { createTransport } = await import('nodemailer');
        const transport = createTransport({ url: settings.url });
        const signal = AbortSignal.timeout(settings.timeoutMs);
        const { rejected } = await transport.sendMail({ ...toMail(alert, settings), signal });
        const detail = `the mail server refused ${rejected.length} of ${settings.to.length} recipients`;
        return { type: 'accepted', ...(rejected.length === 0 ? {} : { detail }) };
      } catch (error) {
        return toResult(error);
      }
    },
  };
}

/** What is sent. Subject and addresses hold no line breaks, so that they make no headers. */
export function toMail(alert: Alert, { from, to }: Pick<EmailSettings, 'from' | 'to'>) {
  return {
    from,
    to: [...to],
    subject: oneLine(`[dagain] ${titleOf(alert)}: ${alert.key.dagId} ${alert.key.dagRunId}`, MAX_SUBJECT_LENGTH),
    text: toText(alert),
    html: toHtml(alert),
    messageId: idOf(alert.dedupeKey),
    references: idOf(alert.incident),
    headers: { 'Auto-Submitted': 'auto-generated' },
  };
}

/** The same for each delivery of an alert, so that mail systems can drop a second one. */
function idOf(key: string): string {
  return `<${createHash('sha256').update(key).digest('hex').slice(0, 40)}@dagain>`;
}

function toText(alert: Alert): string {
  const facts = factsOf(alert).map(([label, value]) => `${label}: ${value}`);
  const causes = causesOf(alert).map((cause) => `- ${cause}`);
  const links = linksOf(alert).map(([label, url]) => `${label}: ${url}`);
  const parts = [[summarise(alert)], facts, causes, links].filter((lines) => lines.length > 0);
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function toHtml(alert: Alert): string {
  const rows = factsOf(alert).map(
    ([label, value]) => `<tr><th align="left">${label}</th><td>${asHtml(value)}</td></tr>`,
  );
  const causes = causesOf(alert).map((cause) => `<li>${asHtml(cause)}</li>`);
  const links = linksOf(alert).map(([label, url]) => `<a href="${asHtml(url)}">${label}</a>`);
  return [
    `<p><strong>${asHtml(summarise(alert))}</strong></p>`,
    `<table>${rows.join('')}</table>`,
    causes.length === 0 ? '' : `<ul>${causes.join('')}</ul>`,
    links.length === 0 ? '' : `<p>${links.join(' · ')}</p>`,
  ].join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function asHtml(text: string): string {
  return clipEscaped(text, MAX_LINE_LENGTH, (character) => ENTITIES[character] ?? character);
}

/** Errors repeat what the server said, and that may repeat what it was told: only codes are passed on. */
function toResult(error: unknown): SendResult {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  const word = typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code) ? code : 'unknown error';
  if (typeof responseCode !== 'number') {
    return { type: 'retryable', detail: `the mail server could not be reached (${word})`, retryAfterMs: null };
  }
  const detail = `the mail server answered ${responseCode} (${word})`;
  return responseCode >= 500 ? { type: 'permanent', detail } : { type: 'retryable', detail, retryAfterMs: null };
}
