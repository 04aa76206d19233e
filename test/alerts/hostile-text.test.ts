import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toAlerts } from '../../src/alerts/alertmanager.ts';
import { toMail } from '../../src/alerts/email.ts';
import { toEvents } from '../../src/alerts/pagerduty.ts';
import type { Alert } from '../../src/alerts/port.ts';
import { toSlackMessage } from '../../src/alerts/slack.ts';
import { toTeamsMessage } from '../../src/alerts/teams.ts';
import { clip, clipEscaped, oneLine } from '../../src/alerts/text.ts';
import { toPayload } from '../../src/alerts/webhook.ts';
import { AlertmanagerAlerts, PagerDutyEvent, SlackMessage, TeamsMessage } from './apis.ts';
import { ALERT, FAILURE, NOW_MS } from './fixtures.ts';

const fragment = fc.constantFrom(
  '<!channel>',
  '<!here|x>',
  '<@U012>',
  '<https://evil.example|click>',
  '[click](https://evil.example)',
  '<at>all</at>',
  '<script>alert(1)</script>',
  '" onload="x',
  "' x='",
  '&amp;lt;',
  '@channel',
  '**_~`',
  '\r\nBcc: evil@example.com\r\n',
  '\n.\n',
  '\u0000\u001b[31m',
  '\u202etxt.exe',
  '\u2028',
  '\ud83d',
  '\ude00',
  '😀',
  '{{ .Labels }}',
);
const hostile = fc
  .array(
    fc.oneof(fragment, fc.string({ unit: 'binary' }), fc.constant('&'.repeat(700)), fc.constant('😀'.repeat(300))),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''));
// Ids are checked when they come in, but nothing here relies on it.
const alerts: fc.Arbitrary<Alert> = fc
  .record({
    kind: fc.constantFrom('gave_up', 'attempt_failed', 'first_failure', 'recovered'),
    dagId: hostile,
    dagRunId: hostile,
    failures: fc.array(
      fc
        .record({ taskId: fc.option(hostile), exceptionType: fc.option(hostile), message: fc.option(hostile) })
        .map((fields) => ({ ...FAILURE, ...fields })),
      { maxLength: 20 },
    ),
    pageUrl: fc.option(hostile),
    runbookUrl: fc.option(hostile),
  })
  .map(({ dagId, dagRunId, ...fields }) => {
    const incident = `dagain/${dagId}/${dagRunId}/1`;
    return { ...ALERT, ...fields, key: { dagId, dagRunId }, incident, dedupeKey: `${incident}/gave_up/1` };
  });

const RUNS = { numRuns: 300 };
const forAnyAlert = (check: (alert: Alert) => void) => fc.assert(fc.property(alerts, check), RUNS);
/** Without surrogates that stand alone, which JSON would carry on. */
const isClean = (text: string) => !/\\u(d[89ab]|d[c-f])[0-9a-f]{2}/i.test(text) && text.isWellFormed();

describe('no text that comes from outside', () => {
  test('makes a mention, a link or an entity of its own in Slack, or a block too long', () => {
    forAnyAlert((alert) => {
      const message = SlackMessage.parse(toSlackMessage(alert));
      expect(isClean(JSON.stringify(message))).toBe(true);
      for (const { type, text } of message.blocks) {
        if (type === 'header') continue;
        const ours = text.text.replace(/<https?:\/\/[^<>|]+\|(Airflow|dagain|Runbook)>/g, '');
        expect(ours).not.toMatch(/[<>]/);
        expect(ours.replace(/&(amp|lt|gt);/g, '')).not.toContain('&');
      }
      expect(message.text).not.toMatch(/[<>]/);
    });
  });

  test('is read as Markdown in Teams, or makes a card too large', () => {
    forAnyAlert((alert) => {
      const text = JSON.stringify(toTeamsMessage(alert));
      expect(isClean(text)).toBe(true);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(20 * 1024);
      const { body } = TeamsMessage.parse(JSON.parse(text)).attachments[0].content;
      const markdown = body.filter((block) => block.type === 'TextBlock').map((block) => block.text);
      expect(markdown).toHaveLength(1);
      expect(markdown[0]).toMatch(/^Dag run [a-z, ]+$/);
    });
  });

  test('makes markup or a header in a mail', () => {
    forAnyAlert((alert) => {
      const { subject, text, html } = toMail(alert, { from: 'a@example.com', to: ['b@example.com'] });
      expect(subject).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      expect(subject.length).toBeLessThanOrEqual(200);
      const tags = [...html.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/ href="https?:[^"<>]*"/, ''));
      const known = ['p', 'strong', 'table', 'tr', 'td', 'ul', 'li', 'a'].flatMap((tag) => [`<${tag}>`, `</${tag}>`]);
      expect(tags.filter((tag) => ![...known, '<th align="left">', '</th>'].includes(tag))).toEqual([]);
      for (const part of [subject, text, html]) expect(part.isWellFormed()).toBe(true);
    });
  });

  test('makes what PagerDuty or Alertmanager refuse', () => {
    forAnyAlert((alert) => {
      for (const event of toEvents(alert, 'k'.repeat(32))) {
        expect(isClean(JSON.stringify(PagerDutyEvent.parse(event)))).toBe(true);
      }
      const sent = AlertmanagerAlerts.parse(toAlerts(alert, { firingMs: 1_000, nowMs: () => NOW_MS }));
      expect(isClean(JSON.stringify(sent))).toBe(true);
    });
  });

  test('keeps the webhook from being JSON, which carries it as it is', () => {
    forAnyAlert((alert) => {
      expect(JSON.parse(JSON.stringify(toPayload(alert)))).toMatchObject({ dag_id: alert.key.dagId });
    });
  });
});

describe('cutting', () => {
  test.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['a😀', 3, 'a😀'],
    ['a😀b', 3, 'a…'],
    ['', 3, ''],
  ])('%j to %d is %j', (text, max, cut) => {
    expect(clip(text, max)).toBe(cut);
  });

  test('keeps to the length, to whole characters and to whole escapes, and leaves short text alone', () => {
    const twice = (character: string) => (character === '&' ? '&amp;' : character);
    fc.assert(
      fc.property(hostile, fc.integer({ min: 1, max: 400 }), (text, max) => {
        const clean = text.toWellFormed();
        const cut = clipEscaped(clean, max, twice);
        expect(cut.length).toBeLessThanOrEqual(max);
        expect(cut.isWellFormed()).toBe(true);
        expect(cut.replaceAll('&amp;', '')).not.toContain('&');
        const whole = clean.replaceAll('&', '&amp;');
        expect(cut === whole || (whole.length > max && cut.endsWith('…') && whole.startsWith(cut.slice(0, -1)))).toBe(
          true,
        );
        expect(oneLine(text, max)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/u);
      }),
    );
  });
});
