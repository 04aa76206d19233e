import { clientFor, filterOptions, jsonText, limit, serviceOptions } from '../parameters.ts';
import { tableOf } from '../print/table.ts';
import { readPages } from '../service/pages.ts';
import { RunSummary } from '../service/views.ts';
import { choice, command } from '../tree/spec.ts';
import { runColumns } from './columns.ts';
import { filterQuery } from './filter.ts';

export const runsList = command({
  words: 'runs list',
  summary: 'List the runs that are being retried, or were given up.',
  details: ['Shows all pages. With -o json it is one document, with what the service answers for each run.'],
  args: {},
  options: {
    ...filterOptions,
    limit: limit(null),
    view: choice(['summary', 'full'], '<view>', 'With -o json: full has failures and timeline as well (summary).'),
    ...serviceOptions,
  },
  async run({ options }, context) {
    const { screen, nowMs } = context;
    const view = options.output === 'json' ? (options.view ?? 'summary') : 'summary';
    const query = { ...filterQuery(options), view };
    const request = { path: '/v1/runs', name: 'runs', item: RunSummary, query, limit: options.limit };
    const { json, items, nextCursor } = await readPages(clientFor(options, context), request);
    if (options.output === 'json') screen.out(jsonText(json));
    else if (items.length === 0) screen.out('No run matches: none is being retried, and none was given up lately.\n');
    else screen.out(tableOf(runColumns(nowMs()), items, screen));
    if (nextCursor !== null && options.output !== 'json') screen.out('There are more: --limit all shows them.\n');
    return 0;
  },
});
