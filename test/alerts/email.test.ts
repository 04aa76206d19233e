import { describe, expect, test } from 'vitest';
import { createEmailChannel, toMail } from '../../src/alerts/email.ts';
import { ALERT, FAILURE, RECOVERED } from './fixtures.ts';
import { type Script, startMailServer } from './smtp.ts';

const FROM = 'dagain@example.com';
const TO = ['oncall@example.com', 'data@example.com'];

async function send(script?: Script, alert = ALERT) {
  const server = await startMailServer(script);
  const channel = createEmailChannel({ url: `smtp://user:pass@${server.host}`, from: FROM, to: TO, timeoutMs: 5_000 });
  return { ...server, result: await channel.send(alert) };
}
const headerOf = (data: string, name: string) =>
  new RegExp(`^${name}: (.*(?:\\n[ \\t].*)*)`, 'im').exec(data)?.[1]?.replace(/\n\s+/g, ' ');

describe('the e-mail channel', () => {
  test('sends one message to all recipients, as text and as HTML', async () => {
    const { result, mails, commands } = await send();
    expect(result).toEqual({ type: 'accepted' });
    expect(commands).toContain(`AUTH PLAIN ${Buffer.from('\0user\0pass').toString('base64')}`);
    expect(mails).toMatchObject([{ from: `MAIL FROM:<${FROM}>`, to: TO.map((one) => `RCPT TO:<${one}>`) }]);
    const data = mails[0]?.data ?? '';
    expect(headerOf(data, 'subject')).toBe('[dagain] Dag run failed for good: etl run+1');
    expect(headerOf(data, 'from')).toBe(FROM);
    expect(headerOf(data, 'to')).toBe(TO.join(', '));
    expect(headerOf(data, 'content-type')).toContain('multipart/alternative');
    expect(headerOf(data, 'auto-submitted')).toBe('auto-generated');
  });

  test('says what people need', () => {
    const { text, html } = toMail(ALERT, { from: FROM, to: TO });
    expect(text).toBe(`Dag run etl/run+1 failed and will not be retried (max_retries_reached; 2 of 2 retries used)

Dag: etl
Run: run+1
Reason: max_retries_reached
Attempts: 3 (2 of 2 retries used)
First failed: 2026-11-21T11:59:00.000Z
Dedupe key: dagain/etl/run+1/1000/gave_up/3

- task load: ConnectionError: refused

Airflow: http://airflow/dags/etl/runs/run%2B1
dagain: https://dagain.example/runs/etl/run%2B1
Runbook: https://wiki.example/dagain
`);
    expect(html).toContain('<li>task load: ConnectionError: refused</li>');
    expect(html).toContain('<a href="https://wiki.example/dagain">Runbook</a>');
    expect(toMail(RECOVERED, { from: FROM, to: TO }).subject).toBe('[dagain] Dag run recovered: etl run+1');
  });

  test('a second delivery has the same id, and all messages on one incident are one thread', async () => {
    const [first, second, recovered] = [await send(), await send(), await send(undefined, RECOVERED)].map(
      ({ mails }) => mails[0]?.data ?? '',
    );
    expect(headerOf(first ?? '', 'message-id')).toMatch(/^<[0-9a-f]{40}@dagain>$/);
    expect(headerOf(second ?? '', 'message-id')).toBe(headerOf(first ?? '', 'message-id'));
    expect(headerOf(recovered ?? '', 'message-id')).not.toBe(headerOf(first ?? '', 'message-id'));
    expect(headerOf(recovered ?? '', 'references')).toBe(headerOf(first ?? '', 'references'));
  });

  test('what comes from outside makes no header, no recipient and no markup', async () => {
    const hostile = 'x\r\nBcc: evil@example.com\r\n\r\n<script>alert(1)</script>\u2028.\r\n';
    const alert = {
      ...ALERT,
      key: { dagId: hostile, dagRunId: hostile },
      failures: [{ ...FAILURE, message: hostile }],
    };
    const { mails, commands } = await send(undefined, alert);
    expect(commands.filter((command) => command.startsWith('RCPT'))).toHaveLength(2);
    const data = mails[0]?.data ?? '';
    const head = data.slice(0, data.indexOf('\n\n'));
    expect(head).not.toMatch(/^bcc:/im);
    expect(toMail(alert, { from: FROM, to: TO }).html).not.toContain('<script');
  });

  test.each([
    ['AUTH', '535 bad credentials', 'permanent'],
    ['AUTH', '454 not now', 'retryable'],
    ['MAIL', '451 try later', 'retryable'],
    ['RCPT', '550 no such user', 'permanent'],
    ['DATA', '554 no', 'permanent'],
    ['END', '452 mailbox full', 'retryable'],
    ['CONNECT', '421 too busy', 'retryable'],
  ])('%s answered by "%s" is %s', async (verb, answer, type) => {
    const { result, mails } = await send((command) => (command.startsWith(verb) ? answer : null));
    expect(result.type).toBe(type);
    expect(mails).toEqual([]);
  });

  test('one recipient that is refused is told of, and the others have their message', async () => {
    const { result, mails } = await send((command) => (command.includes('data@') ? '550 no such user' : null));
    expect(result).toEqual({ type: 'accepted', detail: 'the mail server refused 1 of 2 recipients' });
    expect(mails).toHaveLength(1);
  });
});
