import type { Request, Response } from 'express';
import { z } from 'zod';
import { parseDurationMs } from '../core/duration.ts';
import { JOURNAL_TYPES } from '../core/journal.ts';
import { PHASES } from '../core/record.ts';
import type { Stats, StatsReader } from '../engine/stats.ts';
import { sendJson } from './answer.ts';
import { parseWith } from './field-errors.ts';
import { isoTime } from './iso-time.ts';
import { readQuery } from './query.ts';
import type { Route } from './route.ts';

const DEFAULT_WINDOW_MS = 24 * 3_600_000;
const Time = z.iso.datetime().nullable();

/** How things stand, and what the journal tells of the latest time. */
export const StatsView = z.object({
  now: Time,
  window_seconds: z.number(),
  current: z.object({
    phases: z.record(z.enum(PHASES), z.int()),
    held: z.int(),
    due: z.int(),
    paused: z.int().describe('Pauses of Dags, or of everything.'),
    pending_alerts: z.int(),
  }),
  totals: z.record(z.enum(JOURNAL_TYPES), z.int()),
  buckets: z
    .array(z.object({ from: Time, failed: z.int(), retried: z.int(), recovered: z.int(), gave_up: z.int() }))
    .describe('24 to 60 stretches of one length, oldest first.'),
  top_dags: z
    .array(z.object({ dag_id: z.string(), retried: z.int(), recovered: z.int(), gave_up: z.int() }))
    .describe('The ten with the most retries and give-ups.'),
  top_tasks: z
    .array(z.object({ dag_id: z.string(), task_id: z.string(), failed: z.int() }))
    .describe('The ten that failed most often.'),
  is_complete: z.boolean().describe('False: the journal may have dropped older entries of the window.'),
});
export type StatsView = z.infer<typeof StatsView>;

/** Whole hours up to 720, or whole days up to 30. */
export const WINDOW_PATTERN = /^(([1-9]|[1-9][0-9]|[1-6][0-9]{2}|7[01][0-9]|720)h|([1-9]|[12][0-9]|30)d)$/;
const Window = z
  .string()
  .regex(WINDOW_PATTERN, 'must be whole hours or days, from 1h to 30d')
  .transform((text) => parseDurationMs(text) ?? DEFAULT_WINDOW_MS);

export const StatsQuery = z.object({
  window: Window.optional(),
});

export function statsRoute(stats: StatsReader): Route {
  return {
    method: 'get',
    path: '/v1/stats',
    access: 'operator',
    handle: (request, response) => show(stats, request, response),
  };
}

async function show(stats: StatsReader, request: Request, response: Response): Promise<void> {
  const query = parseWith(StatsQuery, readQuery(request.url, Object.keys(StatsQuery.shape)), 'invalid_query');
  sendJson(response, 200, toStatsView(await stats.read(query.window ?? DEFAULT_WINDOW_MS)));
}

function toStatsView({ nowMs, windowMs, current, window }: Stats): StatsView {
  const { census, due, pauses, pendingAlerts } = current;
  return {
    now: isoTime(nowMs),
    window_seconds: windowMs / 1_000,
    current: { phases: census.phases, held: census.held, due, paused: pauses, pending_alerts: pendingAlerts },
    totals: window.totals,
    buckets: window.buckets.map(({ fromMs, ...counts }) => ({ from: isoTime(fromMs), ...counts })),
    top_dags: window.topDags.map(({ dagId, retried, recovered, gaveUp }) => ({
      ...{ dag_id: dagId, retried, recovered, gave_up: gaveUp },
    })),
    top_tasks: window.topTasks.map(({ dagId, taskId, failed }) => ({ dag_id: dagId, task_id: taskId, failed })),
    is_complete: window.isComplete,
  };
}
