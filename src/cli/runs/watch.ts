import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { Id } from '../../core/run-key.ts';
import { CommandError, type Context, misuseOf } from '../command.ts';
import { clientFor, filterOptions, serviceOptions } from '../parameters.ts';
import type { ServiceClient } from '../service/client.ts';
import { command, value } from '../tree/spec.ts';
import { filterQuery } from './filter.ts';
import { createListWatch } from './watch-list.ts';
import { createRunWatch } from './watch-run.ts';

/** How often the connection is tried again, and how long in between. */
const MOST_TRIES = 20;
const PAUSE_MS = 1_500;

/** What is watched: looks again whenever something may have changed. */
export interface Watch {
  isOf(changed: Changed): boolean;
  /** Prints what is new; an exit code when there is nothing more to watch. */
  look(client: ServiceClient): Promise<0 | 1 | 3 | null>;
}

export const Changed = z.object({
  runs: z.array(z.object({ dag_id: z.string(), dag_run_id: z.string() })).nullable(),
});
export type Changed = z.infer<typeof Changed>;

export const runsWatch = command({
  words: 'runs watch',
  summary: 'Watch runs live, or one run until it has ended.',
  details: [
    'Redraws the list on a terminal, and prints a line for each change otherwise; Ctrl+C ends it. Of one run it prints each ' +
      'step, and ends with 0 when the run has recovered, with 1 when it was given up, with 3 when it ended in another way.',
  ],
  args: {
    dag_id: value(Id.optional(), '<dag_id>', 'The Dag of one run; without it all that the filter leaves in.'),
    dag_run_id: value(Id.optional(), '<dag_run_id>', 'The run, as Airflow names it.'),
  },
  options: { ...filterOptions, url: serviceOptions.url },
  async run({ args: { dag_id, dag_run_id }, options }, context) {
    const client = clientFor({ ...options, output: 'text' }, context);
    const query = filterQuery(options);
    if (dag_id === undefined) return follow(client, createListWatch(query, context), context);
    if (dag_run_id === undefined)
      throw misuseOf('runs watch', `<dag_run_id> is missing; --dag ${dag_id} watches all its runs`);
    if (Object.values(query).some((one) => one !== undefined))
      throw misuseOf('runs watch', 'a filter goes with no run id');
    return follow(client, createRunWatch({ dagId: dag_id, dagRunId: dag_run_id }, context), context);
  },
});

/** Follows the service's events; a connection that ends is opened again, and what was missed meanwhile is read. */
async function follow(client: ServiceClient, watch: Watch, { screen }: Context): Promise<0 | 1 | 3> {
  // In a row; what the service ends by itself, as when it stops, is none.
  let failures = 0;
  let wasThere = false;
  for (;;) {
    try {
      for await (const { event, data } of client.events('/v1/events/stream')) {
        const changed = event === 'changed' ? Changed.safeParse(parsed(data)).data : undefined;
        if (event !== 'hello' && (changed === undefined || !watch.isOf(changed))) continue;
        const ended = await watch.look(client);
        failures = 0;
        wasThere = true;
        if (ended !== null) return ended;
      }
    } catch (error) {
      failures += 1;
      if (!wasThere || !isPassing(error) || failures >= MOST_TRIES) throw error;
      if (failures === 1) screen.err(`dagain: ${error.message}; trying again\n`);
    }
    await pause(PAUSE_MS);
  }
}

/** The service restarts, say; a refused token stays refused. */
function isPassing(error: unknown): error is CommandError {
  if (!(error instanceof CommandError) || error.exitCode !== 4) return false;
  return error.code !== 'token_refused' && error.code !== 'not_dagain';
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
