import { z } from 'zod';
import { Duration } from '../core/duration.ts';
import { setting } from './setting.ts';

/** How failed runs are found of which no callback tells. */
export const WATCH_SETTINGS = {
  DAGAIN_WATCH: setting(
    z.enum(['off', 'on'], { error: 'must be off or on' }),
    'off',
    'on: failed runs of which no callback tells are searched for, of every Dag.',
  ),
  DAGAIN_WATCH_INTERVAL: setting(
    Duration.refine((ms) => ms >= 5_000, 'must be at least 5s'),
    '30s',
    'Between two searches, by whichever replica.',
  ),
  DAGAIN_WATCH_LOOK_BACK: setting(
    Duration.refine((ms) => ms >= 60_000, 'must be at least 1m'),
    '24h',
    'What failed longer ago is left alone; at most DAGAIN_TOMBSTONE_TTL counts.',
  ),
};
