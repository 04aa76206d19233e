import type { Context } from '../command.ts';
import { tableOf } from '../print/table.ts';
import { coloured, printable } from '../print/text.ts';
import type { Query } from '../service/client.ts';
import { readPages } from '../service/pages.ts';
import { RunSummary } from '../service/views.ts';
import { nextRetry, runColumns } from './columns.ts';
import type { Watch } from './watch.ts';

const HOME_AND_CLEAR = '\u001b[H\u001b[2J';
/** Titles, the line above them, and the one on which the cursor stands. */
const OTHER_ROWS = 4;

/** All runs that the filter leaves in: redrawn on a terminal, else a line for each change. */
export function createListWatch(query: Query, { screen, nowMs }: Context): Watch {
  const known = new Map<string, string>();

  function printChanges(runs: readonly RunSummary[]): void {
    const seen = new Set<string>();
    for (const run of runs) {
      const name = `${run.dag_id} ${run.dag_run_id}`;
      seen.add(name);
      const state = stateText(run, nowMs());
      if (known.get(name) === stateKey(run)) continue;
      known.set(name, stateKey(run));
      screen.out(`${new Date(nowMs()).toISOString()} ${printable(`${name} ${state}`)}\n`);
    }
    for (const name of known.keys()) {
      if (seen.has(name)) continue;
      known.delete(name);
      screen.out(
        `${new Date(nowMs()).toISOString()} ${printable(name)} gone: it has ended, or the filter leaves it out\n`,
      );
    }
  }

  function redraw(runs: readonly RunSummary[], rows: number): void {
    const shown = runs.slice(0, Math.max(1, rows - OTHER_ROWS));
    const more = runs.length > shown.length ? `, the first ${shown.length} of them` : '';
    const title = `${new Date(nowMs()).toISOString()}  ${runs.length} runs${more}  (Ctrl+C ends)`;
    const table = shown.length === 0 ? '' : tableOf(runColumns(nowMs()), shown, screen);
    screen.out(`${HOME_AND_CLEAR}${coloured(title, 'dim', screen.isColoured)}\n${table}`);
  }

  return {
    isOf: () => true,
    async look(client) {
      const request = { path: '/v1/runs', name: 'runs', item: RunSummary, query: { ...query, view: 'summary' } };
      const { items } = await readPages(client, { ...request, limit: null });
      if (screen.size === null) printChanges(items);
      else redraw(items, screen.size.rows);
      return null;
    },
  };
}

function stateText(run: RunSummary, now: number): string {
  const next = nextRetry(run, now);
  const reason = run.reason === null ? '' : ` (${run.reason})`;
  return `${run.phase}${reason}, attempt ${run.attempt}, ${run.retries_used}/${run.max_retries} retries${next === '' ? '' : `, next retry ${next}`}`;
}

/** What makes a line of its own when it changes. */
function stateKey(run: RunSummary): string {
  const { phase, attempt, retries_used, max_retries, due_at, held, paused, reason } = run;
  return JSON.stringify([phase, attempt, retries_used, max_retries, due_at, held?.at, paused?.at, reason]);
}
