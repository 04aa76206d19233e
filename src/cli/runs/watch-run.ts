import type { RunKey } from '../../core/run-key.ts';
import { CommandError, type Context } from '../command.ts';
import { printable } from '../print/text.ts';
import { pathOf, type ServiceClient } from '../service/client.ts';
import { readPages } from '../service/pages.ts';
import { EventView, RunView } from '../service/views.ts';
import type { Watch } from './watch.ts';

/** One run, step by step, until nothing more is done for it. */
export function createRunWatch({ dagId, dagRunId }: RunKey, { screen, nowMs }: Context): Watch {
  const printed = new Set<string>();
  let hasBeenSeen = false;
  const say = (at: string | null, text: string) => screen.out(`${at ?? ''} ${printable(text)}\n`);

  function printSteps({ history }: RunView): void {
    for (const { at, attempt, type, reason, detail } of history) {
      const step = `attempt ${attempt}: ${type} (${reason})${detail === null ? '' : `: ${detail}`}`;
      if (printed.has(`${at} ${step}`)) continue;
      printed.add(`${at} ${step}`);
      say(at, step);
    }
  }

  async function lookAtRun(client: ServiceClient): Promise<RunView | null> {
    try {
      return (await client.get(pathOf('runs', dagId, dagRunId), {}, RunView)).value;
    } catch (error) {
      if (error instanceof CommandError && error.code === 'run_not_found') return null;
      throw error;
    }
  }

  /** How it ended, once nothing is kept of it any more. */
  async function lookAtEnd(client: ServiceClient): Promise<0 | 1 | 3> {
    const query = { dag_id: dagId, dag_run_id: dagRunId };
    const request = { path: '/v1/events', name: 'events', item: EventView, query, limit: 1 };
    const [last] = (await readPages(client, request)).items;
    if (last === undefined && !hasBeenSeen) {
      const remedy = `"dagain runs explain ${dagId} ${dagRunId}" says why.`;
      throw new CommandError(3, 'nothing is known of this run', { remedy });
    }
    if (last === undefined) say(new Date(nowMs()).toISOString(), 'gone');
    else say(last.at, `${last.type} (${last.reason})`);
    return last?.type === 'recovered' || last?.reason === 'run_succeeded' ? 0 : 3;
  }

  return {
    isOf: ({ runs }) =>
      runs === null || runs.some(({ dag_id, dag_run_id }) => dag_id === dagId && dag_run_id === dagRunId),
    async look(client) {
      const run = await lookAtRun(client);
      if (run === null) return lookAtEnd(client);
      hasBeenSeen = true;
      printSteps(run);
      return run.phase === 'gave_up' ? 1 : null;
    },
  };
}
