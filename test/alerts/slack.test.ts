import { describe, expect, test } from 'vitest';
import { createSlackChannel, toSlackMessage } from '../../src/alerts/slack.ts';
import { answering, SlackMessage } from './apis.ts';
import { ALERT, FAILURE, RECOVERED } from './fixtures.ts';
import { startReceiver } from './receiver.ts';

const slack = answering(SlackMessage, { status: 200, body: 'ok' }, { status: 400, body: 'invalid_blocks' });
const channelAt = (url: string) => createSlackChannel({ url: `${url}/services/T0/B0/x`, timeoutMs: 5_000 });
/** What people see: the fallback, then the blocks' texts. */
function textsOf(message: object): string[] {
  const { text, blocks } = SlackMessage.parse(message);
  return [text, ...blocks.map((block) => block.text.text)];
}

describe('the Slack channel', () => {
  test.each([ALERT, RECOVERED, { ...ALERT, kind: 'attempt_failed' as const }])(
    'posts what Slack takes: $kind',
    async (alert) => {
      const { url, seen } = await startReceiver(slack);
      expect(await channelAt(url).send(alert)).toEqual({ type: 'accepted' });
      expect(seen.map(({ path }) => path)).toEqual(['/services/T0/B0/x']);
    },
  );

  test('says which run, why, after how many attempts, what failed, and where to look', () => {
    const [fallback, title, facts, causes, links] = textsOf(toSlackMessage(ALERT));
    expect(fallback).toBe(
      'Dag run etl/run+1 failed and will not be retried (max_retries_reached; 2 of 2 retries used)',
    );
    expect(title).toBe('Dag run failed for good');
    expect(facts).toBe(
      [
        '*Dag*  etl',
        '*Run*  run+1',
        '*Reason*  max_retries_reached',
        '*Attempts*  3 (2 of 2 retries used)',
        '*First failed*  2026-11-21T11:59:00.000Z',
        '*Dedupe key*  dagain/etl/run+1/1000/gave_up/3',
      ].join('\n'),
    );
    expect(causes).toBe('• task load: ConnectionError: refused');
    expect(links).toBe(
      '<http://airflow/dags/etl/runs/run%2B1|Airflow>  ·  <https://dagain.example/runs/etl/run%2B1|dagain>  ·  <https://wiki.example/dagain|Runbook>',
    );
  });

  test('nothing is linked, unfurled or mentioned but what is marked up so', () => {
    const { blocks, ...fields } = SlackMessage.parse(toSlackMessage(ALERT));
    expect(fields).toMatchObject({ unfurl_links: false, unfurl_media: false });
    const verbatim = blocks.flatMap(({ text }) => (text.type === 'mrkdwn' ? [text.verbatim] : []));
    expect(verbatim).toEqual([true, true, true]);
  });

  test('a runbook with a query is linked as Slack wants it', () => {
    const texts = textsOf(toSlackMessage({ ...ALERT, runbookUrl: 'https://wiki.example/page?id=1&v=2' }));
    expect(texts.at(-1)).toContain('<https://wiki.example/page?id=1&amp;v=2|Runbook>');
  });

  test('says that the run has recovered, without causes', () => {
    const texts = textsOf(toSlackMessage(RECOVERED));
    expect(texts.slice(0, 2)).toEqual([
      'Dag run etl/run+1 succeeded on attempt 4 (2 of 2 retries used)',
      'Dag run recovered',
    ]);
    expect(texts).toHaveLength(4);
  });

  test('turns what a task says into text: no mention, no link, no entity cut in two', () => {
    const message = '<!channel> <@U1> <https://evil.example|click> & "more"';
    const [, , , causes] = textsOf(toSlackMessage({ ...ALERT, failures: [{ ...FAILURE, message }] }));
    expect(causes).toContain('&lt;!channel&gt; &lt;@U1&gt; &lt;https://evil.example|click&gt; &amp; "more"');
    const full = textsOf(toSlackMessage({ ...ALERT, failures: [{ ...FAILURE, message: '&'.repeat(2_000) }] }));
    expect(full[3]?.replaceAll('&amp;', '')).toBe('• task load: ConnectionError: …');
  });

  test.each([
    [429, { 'retry-after': '30' }, { type: 'retryable', retryAfterMs: 30_000 }],
    [500, {}, { type: 'retryable', retryAfterMs: null }],
    [403, {}, { type: 'permanent' }],
    [404, {}, { type: 'permanent' }],
    [410, {}, { type: 'permanent' }],
  ])('answers of %i', async (status, headers, expected) => {
    const { url } = await startReceiver(() => ({ status, headers, body: 'no_service' }));
    expect(await channelAt(url).send(ALERT)).toMatchObject(expected);
  });
});
