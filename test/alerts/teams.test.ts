import { describe, expect, test } from 'vitest';
import { createTeamsChannel, toTeamsMessage } from '../../src/alerts/teams.ts';
import { answering, TeamsMessage } from './apis.ts';
import { ALERT, FAILURE, RECOVERED } from './fixtures.ts';
import { startReceiver } from './receiver.ts';

const teams = answering(TeamsMessage, { status: 202 }, { status: 400 }, 28 * 1024);
const cardOf = (alert: typeof ALERT) => TeamsMessage.parse(toTeamsMessage(alert)).attachments[0].content;
const linesOf = (alert: typeof ALERT) =>
  cardOf(alert).body.map((block) =>
    block.type === 'TextBlock' ? block.text : block.inlines.map(({ text }) => text).join(''),
  );

describe('the Teams channel', () => {
  test.each([ALERT, RECOVERED])('posts what a workflow takes: $kind', async (alert) => {
    const { url, seen } = await startReceiver(teams);
    const channel = createTeamsChannel({ url: `${url}/workflows/1/triggers/manual?sig=x`, timeoutMs: 5_000 });
    expect(await channel.send(alert)).toEqual({ type: 'accepted' });
    expect(seen[0]?.path).toBe('/workflows/1/triggers/manual?sig=x');
  });

  test('says what people need', () => {
    expect(linesOf(ALERT)).toEqual([
      'Dag run failed for good',
      'Dag  etl',
      'Run  run+1',
      'Reason  max_retries_reached',
      'Attempts  3 (2 of 2 retries used)',
      'First failed  2026-11-21T11:59:00.000Z',
      'Dedupe key  dagain/etl/run+1/1000/gave_up/3',
      'task load: ConnectionError: refused',
    ]);
    expect(cardOf(ALERT).actions.map(({ title }) => title)).toEqual(['Airflow', 'dagain', 'Runbook']);
    expect(linesOf(RECOVERED)[0]).toBe('Dag run recovered');
    expect([ALERT, RECOVERED].map((alert) => cardOf(alert).body[0])).toMatchObject([
      { color: 'Attention' },
      { color: 'Good' },
    ]);
  });

  test('what comes from outside stands only where no Markdown is read', () => {
    const hostile = '[click](https://evil.example) **bold** <at>everybody</at>';
    const { body } = cardOf({
      ...ALERT,
      key: { dagId: hostile, dagRunId: hostile },
      failures: [{ ...FAILURE, message: hostile }],
    });
    const blocks = body.filter((block) => block.type === 'TextBlock').map(({ text }) => text);
    expect(blocks).toEqual(['Dag run failed for good']);
  });

  test('stays below 28 KB whatever there is to tell', () => {
    // Four bytes each, or six where JSON escapes it.
    for (const character of ['😀', '"', '\\', '漢']) {
      const text = character.repeat(3_000);
      const id = character.repeat(100);
      const failures = Array.from({ length: 20 }, () => ({
        ...FAILURE,
        taskId: id,
        exceptionType: text,
        message: text,
      }));
      const message = JSON.stringify(toTeamsMessage({ ...ALERT, key: { dagId: id, dagRunId: id }, failures }));
      expect(Buffer.byteLength(message)).toBeLessThanOrEqual(20 * 1024);
      expect(message.isWellFormed()).toBe(true);
      expect(linesOf({ ...ALERT, failures }).length).toBeGreaterThan(7);
    }
  });
});
