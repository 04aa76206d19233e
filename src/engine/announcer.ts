import type { Alert, AlertChannel, SendResult } from '../alerts/port.ts';
import type { Decision } from '../core/reason.ts';
import type { AlertKind, PendingAlert, RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { isoOf, runFields } from './log-fields.ts';
import type { SwapLoop } from './swap-loop.ts';
import type { Telemetry } from './telemetry.ts';

const FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 15 * 60_000;
/** What needs a person is tried again at once a few times too: it may be a deployment under way. */
const PERMANENT_PAUSE_MS = 5 * 60_000;
/** After this an alert that nobody accepts is dropped, loudly: the record must not stay for ever. */
const ABANDON_AFTER_MS = 7 * 24 * 3_600_000;

/** What alerts link to besides the orchestrator; null: no link. */
export interface AlertLinks {
  readonly pageOf: (key: RunKey) => string | null;
  /** What to do about an alert with this reason. */
  readonly runbookOf: (reason: string) => string | null;
}

const NO_LINKS: AlertLinks = { pageOf: () => null, runbookOf: () => null };

export interface AnnouncerDeps {
  readonly swapLoop: SwapLoop;
  readonly channels: readonly AlertChannel[];
  readonly orchestrator: Pick<Orchestrator, 'linkTo'>;
  readonly links?: AlertLinks;
  /** Shadow mode: alerts say so. */
  readonly isShadow?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly telemetry: Telemetry;
}

/** Sends what is in a record's outbox. An alert leaves the outbox only after its channel has accepted it. */
export interface Announcer {
  /** Sends every alert of `record` that is due, each channel on its own. */
  announce(key: RunKey, record: RunRecord): Promise<void>;
}

export function createAnnouncer(deps: AnnouncerDeps): Announcer {
  const { swapLoop, orchestrator, clock, log, telemetry, links = NO_LINKS, isShadow = false } = deps;
  const channels = new Map(deps.channels.map((channel) => [channel.name, channel]));

  function toAlert(key: RunKey, record: RunRecord, pending: PendingAlert): Alert {
    const { dedupeKey, incident, kind, reason, attempt, createdAtMs } = pending;
    const { retriesUsed, maxRetries, firstFailedAtMs, failures } = record;
    return {
      ...{ dedupeKey, incident, kind, key, reason, attempt, createdAtMs },
      isOutdated: isOutdated(record, pending),
      isShadow,
      ...{ retriesUsed, maxRetries, firstFailedAtMs, failures },
      runUrl: orchestrator.linkTo(key),
      pageUrl: links.pageOf(key),
      runbookUrl: links.runbookOf(reason),
    };
  }

  async function send(key: RunKey, record: RunRecord, pending: PendingAlert): Promise<SendResult> {
    const channel = channels.get(pending.channel);
    if (channel === undefined) return { type: 'permanent', detail: 'no such channel is configured any more' };
    try {
      return await channel.send(toAlert(key, record, pending));
    } catch (error) {
      // A channel never rejects; one that does must neither hold up the others nor escape the count of tries.
      log.error({ ...alertFields(key, pending), err: error }, 'an alert channel failed');
      return { type: 'retryable', detail: 'the channel failed', retryAfterMs: null };
    }
  }

  async function sendOne(key: RunKey, record: RunRecord, pending: PendingAlert): Promise<void> {
    const result = await send(key, record, pending);
    const accepted = result.type === 'accepted';
    const nextTryAtMs = accepted ? null : nextTryMs(pending, result, clock.nowMs());
    const fields = alertFields(key, pending);
    telemetry.alerted(pending.channel, accepted ? 'accepted' : nextTryAtMs === null ? 'abandoned' : 'not_accepted');
    if (result.type === 'accepted' && result.detail !== undefined) {
      log.warn({ ...fields, detail: result.detail }, 'alert accepted in part');
    } else if (result.type === 'accepted') log.info(fields, 'alert accepted');
    else if (nextTryAtMs === null) log.error({ ...fields, detail: result.detail }, 'alert abandoned: nobody was told');
    else
      log.warn(
        { ...fields, detail: result.detail, next_try_at: isoOf(nextTryAtMs) },
        'alert not accepted, will be sent again',
      );
    const detail = result.detail ?? null;
    const { dedupeKey } = pending;
    await swapLoop.apply(key, {
      type: 'alert_answered',
      dedupeKey,
      channel: pending.channel,
      accepted,
      detail,
      nextTryAtMs,
    });
  }

  return {
    async announce(key, record) {
      const due = record.outbox.filter((pending) => pending.nextTryAtMs <= clock.nowMs());
      // To the end of each, also when one fails: whoever stops the worker waits for them.
      const sent = await Promise.allSettled(due.map((pending) => sendOne(key, record, pending)));
      for (const one of sent) if (one.status === 'rejected') throw one.reason;
    },
  };
}

/** What each kind of alert tells of. */
const TOLD_BY: Readonly<Record<AlertKind, Decision>> = {
  gave_up: 'giving_up',
  attempt_failed: 'retry_scheduled',
  first_failure: 'retry_scheduled',
  recovered: 'cleaned_up',
};

function alertFields(key: RunKey, { kind, channel, reason, attempt }: PendingAlert) {
  return runFields(key, { attempt, decision: TOLD_BY[kind], reason }, { alert: kind, channel });
}

/** Channels that were out get what has piled up in any order. */
function isOutdated(record: RunRecord, { kind, incident }: PendingAlert): boolean {
  if (kind === 'gave_up' || kind === 'recovered') return false;
  const isOver = record.phase === 'giving_up' || record.phase === 'gave_up';
  return isOver || !incident.endsWith(`/${record.firstFailedAtMs}`);
}

/** Exponential up to a quarter of an hour; null when it has been tried for a week. */
function nextTryMs(
  pending: PendingAlert,
  result: Exclude<SendResult, { type: 'accepted' }>,
  nowMs: number,
): number | null {
  if (nowMs - pending.createdAtMs > ABANDON_AFTER_MS) return null;
  const backoffMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(pending.tries, 20), MAX_PAUSE_MS);
  const isPermanent = result.type === 'permanent' && pending.tries >= 3;
  const askedForMs = result.type === 'retryable' ? Math.min(result.retryAfterMs ?? 0, MAX_PAUSE_MS) : 0;
  return nowMs + Math.max(backoffMs, askedForMs, isPermanent ? PERMANENT_PAUSE_MS : 0);
}
