import type { Alert, AlertChannel, SendResult } from '../alerts/port.ts';
import { nearest } from '../core/nearest.ts';
import { CHANNEL_NAMES } from '../core/policy.ts';
import type { ExitCode, Terminal } from './command.ts';

export interface AlertTest {
  /** The configured ones. */
  readonly channels: readonly AlertChannel[];
  /** Null: all of them. */
  readonly wanted: string | null;
  readonly runbookUrl: string | null;
  readonly nowMs: number;
  readonly terminal: Terminal;
}

/**
 * Sends a test alert over one channel or all of them, and its recovery where it was accepted, so that no incident stays
 * open; prints what each answered.
 */
export async function testAlerts({ channels, wanted, terminal, ...about }: AlertTest): Promise<ExitCode> {
  const problem = whyNot(channels, wanted);
  if (problem !== null) {
    terminal.err(`dagain: ${problem}\n`);
    return 2;
  }
  const tested = channels.filter(({ name }) => wanted === null || name === wanted);
  const results = await Promise.all(tested.map((channel) => testOne(channel, about)));
  for (const { line } of results) terminal.out(`${line}\n`);
  return results.every(({ isAccepted }) => isAccepted) ? 0 : 1;
}

function whyNot(channels: readonly AlertChannel[], wanted: string | null): string | null {
  const configured = channels.map(({ name }) => name);
  if (configured.length === 0) return 'no alert channel is configured; "dagain --help" lists their settings';
  if (wanted === null || configured.includes(wanted)) return null;
  const isName = CHANNEL_NAMES.some((name) => name === wanted);
  if (isName) return `${wanted} is not configured; configured: ${configured.join(', ')}`;
  return `there is no alert channel "${wanted}"; the nearest is "${nearest(wanted, CHANNEL_NAMES)}"`;
}

type About = Pick<AlertTest, 'runbookUrl' | 'nowMs'>;

async function testOne(channel: AlertChannel, about: About): Promise<{ line: string; isAccepted: boolean }> {
  const say = (what: string, result: SendResult) => ({
    line: `${channel.name.padEnd(14)}${what} ${describe(result)}`,
    isAccepted: result.type === 'accepted' && result.detail === undefined,
  });
  const alert = await channel.send(alertFor('gave_up', about));
  if (alert.type !== 'accepted' || alert.detail !== undefined) return say('alert', alert);
  const recovery = await channel.send(alertFor('recovered', about));
  return say(recovery.type === 'accepted' ? 'alert and recovery' : 'alert accepted, recovery', recovery);
}

function describe(result: SendResult): string {
  switch (result.type) {
    case 'accepted':
      return result.detail === undefined ? 'accepted' : `accepted in part: ${result.detail}`;
    case 'retryable':
      return `not accepted, may work later: ${result.detail}`;
    case 'permanent':
      return `not accepted: ${result.detail}`;
  }
}

function alertFor(kind: 'gave_up' | 'recovered', { runbookUrl, nowMs }: About): Alert {
  const key = { dagId: 'dagain_test', dagRunId: `test__${new Date(nowMs).toISOString()}` };
  const incident = `dagain/${key.dagId}/${key.dagRunId}/${nowMs}`;
  const message = 'This only tests the alert channel; nothing has failed.';
  return {
    dedupeKey: `${incident}/${kind}/1`,
    incident,
    kind,
    isOutdated: false,
    isShadow: false,
    key,
    reason: 'alert_test',
    attempt: 1,
    retriesUsed: 0,
    maxRetries: 0,
    firstFailedAtMs: nowMs,
    createdAtMs: nowMs,
    failures: [{ ...NO_FAILURE, message, failedAtMs: nowMs }],
    runUrl: null,
    pageUrl: null,
    runbookUrl,
  };
}

const NO_FAILURE = {
  id: 'test',
  taskId: null,
  mapIndex: null,
  tryNumber: null,
  operator: null,
  exceptionType: null,
  failureClass: 'task_error',
  logUrl: null,
  refused: false,
} as const;
