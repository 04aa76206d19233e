import { z } from 'zod';
import { JOURNAL_TYPES } from '../core/journal.ts';
import { Id } from '../core/run-key.ts';
import { eventColumns } from './event-columns.ts';
import { clientFor, dagPattern, jsonText, limit, serviceOptions } from './parameters.ts';
import { tableOf } from './print/table.ts';
import { readPages } from './service/pages.ts';
import { EventView } from './service/views.ts';
import { command, listed, value } from './tree/spec.ts';

const FEW = 50;

const Types = z
  .string()
  .refine(
    (text) => text.split(',').every((word) => (JOURNAL_TYPES as readonly string[]).includes(word)),
    `must be one or several of ${listed(JOURNAL_TYPES)}, comma-separated`,
  )
  .optional();

export const events = command({
  words: 'events',
  summary: 'List what happened, newest first; --type operated is the audit trail of what people did.',
  args: {},
  options: {
    type: value(Types, '<type,...>', 'Only of these types.', { completion: { words: JOURNAL_TYPES } }),
    dag: dagPattern,
    run: value(Id.optional(), '<dag_run_id>', 'Only of this run.'),
    by: value(z.string().min(1).max(200).optional(), '<name>', 'Only what this person did.'),
    since: value(
      z.string().min(1).optional(),
      '<time>',
      'Not before: a time in ISO 8601, or how long ago, such as 24h.',
    ),
    limit: limit(FEW),
    ...serviceOptions,
  },
  async run({ options }, context) {
    const { screen, nowMs } = context;
    const { type, dag, run, by, since } = options;
    const query = { type, dag_id: dag, dag_run_id: run, actor: by, since };
    const request = { path: '/v1/events', name: 'events', item: EventView, query, limit: options.limit };
    const { json, items, nextCursor } = await readPages(clientFor(options, context), request);
    if (options.output === 'json') screen.out(jsonText(json));
    else if (items.length === 0) screen.out('Nothing like that happened.\n');
    else screen.out(tableOf(eventColumns(nowMs()), items, screen));
    if (nextCursor !== null && options.output !== 'json') screen.out('There are more: --limit all shows them.\n');
    return 0;
  },
});
