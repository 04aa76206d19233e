import { describe, expect, test } from 'vitest';
import { createChannels, linksFrom, warnOfUnconfigured } from '../../src/app/channels.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import { readPolicyFile } from '../../src/config/policy-file.ts';
import { CHANNEL_NAMES } from '../../src/core/policy.ts';

const MAIL = { DAGAIN_EMAIL_FROM: 'dagain@example.com', DAGAIN_EMAIL_TO: 'oncall@example.com' };
const ADDRESSES = {
  webhook: { DAGAIN_ALERT_WEBHOOK_URL: 'https://alerts.example/hook' },
  slack: { DAGAIN_SLACK_WEBHOOK_URL: 'https://hooks.slack.example/services/x' },
  pagerduty: { DAGAIN_PAGERDUTY_ROUTING_KEY: '0123456789abcdef0123456789abcdef' },
  alertmanager: { DAGAIN_ALERTMANAGER_URL: 'http://alertmanager:9093' },
  teams: { DAGAIN_TEAMS_WEBHOOK_URL: 'https://teams.example/workflows/x' },
  email: { DAGAIN_SMTP_URL: 'smtp://mail.example', ...MAIL },
};
const channelsOf = (settings: object) =>
  createChannels(readEnvironment({ ...settings }), Date.now).map(({ name }) => name);

describe('the configured channels', () => {
  test('are none without an address', () => {
    expect(channelsOf({})).toEqual([]);
  });

  test.each(Object.entries(ADDRESSES))('%s, by its address', (name, settings) => {
    expect(channelsOf(settings)).toEqual([name]);
  });

  test('can be all that the policy knows', () => {
    expect(channelsOf(Object.assign({}, ...Object.values(ADDRESSES)))).toEqual([...CHANNEL_NAMES]);
  });
});

describe('links', () => {
  const key = { dagId: 'etl daily', dagRunId: 'manual__2026+00:00' };

  test.each(['https://dagain.example', 'https://dagain.example/', 'https://ops.example/dagain//'])(
    'below %s',
    (base) => {
      const links = linksFrom(readEnvironment({ DAGAIN_PUBLIC_URL: base, DAGAIN_RUNBOOK_URL: 'https://wiki.example' }));
      expect(links.pageOf(key)).toBe(`${base.replace(/\/+$/, '')}/runs/etl%20daily/manual__2026%2B00%3A00`);
      expect(links.runbookOf('state_lost')).toBe('https://wiki.example');
    },
  );

  test.each([
    ['max_retries_reached', 'attempt-cap.md'],
    ['state_lost', 'store-lost.md'],
    ['clear_refused', 'given-up.md'],
    ['settle_timeout', 'given-up.md'],
    ['settled', 'given-up.md'],
  ])('to the runbook, where it is a folder: %s is on the page %s', (reason, page) => {
    const links = linksFrom(readEnvironment({ DAGAIN_RUNBOOK_URL: 'https://wiki.example/runbook/' }));
    expect(links.runbookOf(reason)).toBe(`https://wiki.example/runbook/${page}`);
  });

  test('are none where nobody says where', () => {
    const links = linksFrom(readEnvironment({}));
    expect([links.pageOf(key), links.runbookOf('state_lost')]).toEqual([null, null]);
  });
});

test('a policy file that alerts where nothing can be sent is told of, each channel once', () => {
  const read = readPolicyFile(`
defaults: { alert_channels: [slack, webhook] }
dags:
  - { match: "a*", alert_channels: [slack, pagerduty] }
  - { match: "b*", alert_channels: [] }
`);
  if (!read.ok) throw new Error('the file is valid');
  const told: object[] = [];
  const channels = createChannels(readEnvironment(ADDRESSES.webhook), Date.now);
  warnOfUnconfigured(read.file, channels, { warn: (fields) => void told.push(fields) });
  expect(told).toEqual([{ channel: 'slack' }, { channel: 'pagerduty' }]);
});
