import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Alert, AlertChannel, SendResult } from '../../src/alerts/port.ts';
import { testAlerts } from '../../src/cli/alerts.ts';
import { answering, PagerDutyEvent, SlackMessage } from '../alerts/apis.ts';
import { startReceiver } from '../alerts/receiver.ts';
import { dagain } from './run.ts';

const KEY = '0123456789abcdef0123456789abcdef';
const ACCEPTED: SendResult = { type: 'accepted' };

/** What `alerts test` prints and how it ends, over channels that answer alert and recovery as told. */
async function run(answers: Record<string, readonly SendResult[]>, wanted: string | null = null) {
  const sent: [string, Alert][] = [];
  const channels: AlertChannel[] = Object.entries(answers).map(([name, [alert = ACCEPTED, recovery = alert]]) => ({
    name,
    async send(one) {
      sent.push([name, one]);
      return one.kind === 'recovered' ? recovery : alert;
    },
  }));
  const [out, err]: [string[], string[]] = [[], []];
  const terminal = { out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) };
  const code = await testAlerts({ channels, wanted, runbookUrl: null, nowMs: 0, terminal });
  return { code, out: out.join(''), err: err.join(''), sent };
}

describe('alerts test', () => {
  test('sends an alert and its recovery, of one incident, to every channel', async () => {
    const { code, out, sent } = await run({ slack: [], email: [] });
    expect([code, out]).toEqual([
      0,
      'slack         alert and recovery accepted\nemail         alert and recovery accepted\n',
    ]);
    expect(sent.map(([name, { kind }]) => `${name} ${kind}`).sort()).toEqual([
      'email gave_up',
      'email recovered',
      'slack gave_up',
      'slack recovered',
    ]);
    expect(new Set(sent.map(([, { incident }]) => incident)).size).toBe(1);
    expect(new Set(sent.map(([, { dedupeKey }]) => dedupeKey)).size).toBe(2);
  });

  test('or to one', async () => {
    const { sent } = await run({ slack: [], email: [] }, 'email');
    expect(new Set(sent.map(([name]) => name))).toEqual(new Set(['email']));
  });

  test('says what did not work, and ends with 1', async () => {
    const refused = { type: 'permanent', detail: 'the receiver answered 404' } as const;
    const busy = { type: 'retryable', detail: 'the receiver answered 429', retryAfterMs: null } as const;
    const partly = { type: 'accepted', detail: 'the mail server refused 1 of 2 recipients' } as const;
    const { code, out } = await run({ slack: [refused], pagerduty: [ACCEPTED, busy], email: [partly], teams: [] });
    expect(code).toBe(1);
    expect(out.split('\n')).toEqual([
      'slack         alert not accepted: the receiver answered 404',
      'pagerduty     alert accepted, recovery not accepted, may work later: the receiver answered 429',
      'email         alert accepted in part: the mail server refused 1 of 2 recipients',
      'teams         alert and recovery accepted',
      '',
    ]);
  });

  test.each([
    [{}, null, 'no alert channel is configured; "dagain --help" lists their settings'],
    [{ slack: [] }, 'email', 'email is not configured; configured: slack'],
    [{ slack: [] }, 'slak', 'there is no alert channel "slak"; the nearest is "slack"'],
  ])('%j, %j: says why nothing can be sent, and ends with 2', async (answers, wanted, problem) => {
    expect(await run(answers, wanted)).toEqual({ code: 2, out: '', err: `dagain: ${problem}\n`, sent: [] });
  });

  test('as a command, over the channels that the environment configures', async () => {
    const slack = await startReceiver(answering(SlackMessage, { status: 200 }, { status: 400 }));
    const pagerduty = await startReceiver(answering(PagerDutyEvent, { status: 202 }, { status: 400 }));
    const settings = {
      DAGAIN_SLACK_WEBHOOK_URL: `${slack.url}/services/x`,
      DAGAIN_PAGERDUTY_ROUTING_KEY: KEY,
      DAGAIN_PAGERDUTY_EVENTS_URL: `${pagerduty.url}/v2/enqueue`,
      DAGAIN_RUNBOOK_URL: 'https://wiki.example/dagain',
    };
    const { code, out, err } = await dagain(['alerts', 'test'], settings);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe('slack         alert and recovery accepted\npagerduty     alert and recovery accepted\n');
    expect(slack.seen[0]?.body).toContain('This only tests the alert channel; nothing has failed.');
    expect(slack.seen[0]?.body).toContain('<https://wiki.example/dagain|Runbook>');
    const actions = pagerduty.seen.map(({ body }) => JSON.parse(body).event_action);
    expect(actions).toEqual(['trigger', 'resolve', 'resolve', 'resolve']);
  });
});

test('alerts go through a proxy where Node is told to use one', async () => {
  const slack = await startReceiver(answering(SlackMessage, { status: 200 }, { status: 400 }));
  const tunnels: (string | undefined)[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, client) => {
    tunnels.push(request.url);
    const target = connect(Number(new URL(slack.url).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    client.on('error', () => target.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  const { code, out } = await dagain(['alerts', 'test'], {
    DAGAIN_SLACK_WEBHOOK_URL: 'http://hooks.invalid/services/x',
    NODE_USE_ENV_PROXY: '1',
    HTTP_PROXY: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
  });
  proxy.close();
  expect([code, out]).toEqual([0, 'slack         alert and recovery accepted\n']);
  expect(new Set(tunnels)).toEqual(new Set(['hooks.invalid:80']));
  expect(slack.seen).toHaveLength(2);
});

test('policy explain says who is alerted of a Dag, where that comes from, and which channel is not there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-alerts-'));
  const path = join(folder, 'policy.yaml');
  writeFileSync(path, 'dags:\n  - { match: "etl_*", alert_channels: [slack, pagerduty] }\n');
  const settings = {
    DAGAIN_AIRFLOW_URL: 'http://127.0.0.1:1',
    DAGAIN_POLICY_FILE: path,
    DAGAIN_SLACK_WEBHOOK_URL: 'http://127.0.0.1:1/x',
    DAGAIN_ALERT_WEBHOOK_URL: 'http://127.0.0.1:1/y',
  };
  const explained = await dagain(['policy', 'explain', 'etl_daily'], settings);
  const other = await dagain(['policy', 'explain', 'other'], settings);
  rmSync(folder, { recursive: true });
  expect(explained.out).toMatch(/alert_channels +\["slack"\] +policy file, dags\[0\] \(etl_\*\)/);
  expect(explained.out).toContain('pagerduty is not configured: alerts go to slack.');
  expect(other.out).toMatch(/alert_channels +\["webhook","slack"\] +built-in/);
});
