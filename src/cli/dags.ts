import { PHASES } from '../core/record.ts';
import { Id } from '../core/run-key.ts';
import { actorOf } from './actor.ts';
import { type Context, type ExitCode, misuseOf } from './command.ts';
import { actorOptions, clientFor, jsonText, limit, serviceOptions } from './parameters.ts';
import { type Column, tableOf } from './print/table.ts';
import { printable, quoted } from './print/text.ts';
import { relative } from './print/time.ts';
import { pathOf } from './service/client.ts';
import { readPages } from './service/pages.ts';
import { DagView, PauseAnswer } from './service/views.ts';
import { type Command, command, flag, value } from './tree/spec.ts';

export const dagsList = command({
  words: 'dags list',
  summary: 'List the Dags that have runs here, or are paused.',
  args: {},
  options: { limit: limit(null), ...serviceOptions },
  async run({ options }, context) {
    const { screen, nowMs } = context;
    const request = { path: '/v1/dags', name: 'dags', item: DagView, query: {}, limit: options.limit };
    const { json, items, nextCursor } = await readPages(clientFor(options, context), request);
    if (options.output === 'json') screen.out(jsonText(json));
    else if (items.length === 0) screen.out('No Dag has a run that is being retried, and none is paused.\n');
    else screen.out(tableOf(dagColumns(nowMs()), items, screen));
    if (nextCursor !== null && options.output !== 'json') screen.out('There are more: --limit all shows them.\n');
    return 0;
  },
});

function dagColumns(nowMs: number): Column<DagView>[] {
  const number = (count: number | undefined) => (count === undefined || count === 0 ? '' : String(count));
  return [
    { title: 'dag', text: ({ dag_id }) => dag_id },
    ...PHASES.map((phase) => ({
      title: phase,
      text: ({ phases }: DagView) => number(phases[phase]),
      isRight: true,
    })),
    { title: 'held', text: ({ held }) => number(held), isRight: true },
    {
      title: 'paused',
      text: ({ paused }) =>
        paused === null ? '' : `by ${paused.actor} ${relative(paused.at, nowMs)}${quoted(paused.comment)}`,
      colour: () => 'yellow',
    },
  ];
}

const MEANINGS = {
  pause: 'Send no retries of a Dag, or with --all of any, until it is resumed; failures are still counted.',
  resume: 'Send the retries of a Dag, or with --all of all, again; those that are due go out at once.',
};

export const dagsPause = pauseCommand('pause');
export const dagsResume = pauseCommand('resume');

function pauseCommand(action: 'pause' | 'resume'): Command {
  return command({
    words: `dags ${action}`,
    summary: MEANINGS[action],
    args: { dag_id: value(Id.optional(), '<dag_id>', 'The Dag, by its exact id.') },
    options: { all: flag('Everything, instead of one Dag.'), ...actorOptions, ...serviceOptions },
    run: ({ args, options }, context) => setPause(action, args.dag_id, options, context),
  });
}

type PauseOptions = Parameters<typeof actorOf>[0] & Parameters<typeof clientFor>[0] & { readonly all: boolean };

async function setPause(
  action: 'pause' | 'resume',
  dagId: string | undefined,
  options: PauseOptions,
  context: Context,
): Promise<ExitCode> {
  if ((dagId === undefined) !== options.all) {
    throw misuseOf(`dags ${action}`, `dags ${action} takes one Dag id, or --all for everything`);
  }
  const path = dagId === undefined ? pathOf(action) : pathOf('dags', dagId, action);
  const client = clientFor(options, context);
  const { json, value: answer } = await client.post(path, actorOf(options, context), PauseAnswer);
  const what = dagId ?? 'everything';
  const now = answer.paused === null ? 'not paused' : `paused by ${answer.paused.actor}`;
  const text = `${printable(`${what}: ${answer.changed ? '' : 'was so already, '}${now}`)}\n`;
  context.screen.out(options.output === 'json' ? jsonText(json) : text);
  return 0;
}
