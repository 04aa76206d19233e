import type { Screen } from './command.ts';
import { clientFor, Duration, jsonText, serviceOptions } from './parameters.ts';
import { fieldsOf, tableOf } from './print/table.ts';
import { quoted } from './print/text.ts';
import { absolute, lengthText } from './print/time.ts';
import { StatsView, StatusView } from './service/views.ts';
import { command, value } from './tree/spec.ts';

export const stats = command({
  words: 'stats',
  summary: 'Show how things stand, and what happened in the latest time.',
  args: {},
  options: {
    window: value(Duration.optional(), '<duration>', 'How far back: from 1h to 30d (24h).'),
    ...serviceOptions,
  },
  async run({ options }, context) {
    const client = clientFor(options, context);
    const { json, value: view } = await client.get('/v1/stats', { window: options.window }, StatsView);
    context.screen.out(options.output === 'json' ? jsonText(json) : statsText(view, context.screen));
    return 0;
  },
});

function statsText(view: StatsView, screen: Screen): string {
  const { current, totals, buckets } = view;
  const counts = (all: Readonly<Record<string, number>>) =>
    Object.entries(all)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ');
  const facts = fieldsOf([
    ['now', counts(current.phases)],
    ['', `${current.due} due, ${current.held} held, ${current.paused} paused, ${current.pending_alerts} unsent alerts`],
    [`last ${lengthText(view.window_seconds * 1_000)}`, counts(totals)],
    ['retried', bars(buckets.map(({ retried }) => retried))],
    ['gave up', bars(buckets.map(({ gave_up }) => gave_up))],
    ['', view.is_complete ? null : 'The journal does not hold all of this time any more: the figures may be too low.'],
  ]);
  const number = (text: number) => (text === 0 ? '' : String(text));
  const dags = tableOf(
    [
      { title: 'dag', text: ({ dag_id }) => dag_id },
      { title: 'retried', text: ({ retried }) => number(retried), isRight: true },
      { title: 'recovered', text: ({ recovered }) => number(recovered), isRight: true },
      { title: 'gave up', text: ({ gave_up }) => number(gave_up), isRight: true },
    ],
    view.top_dags,
    screen,
  );
  const tasks = tableOf(
    [
      { title: 'dag', text: ({ dag_id }) => dag_id },
      { title: 'task', text: ({ task_id }) => task_id },
      { title: 'failed', text: ({ failed }) => number(failed), isRight: true },
    ],
    view.top_tasks,
    screen,
  );
  return [facts, ...(view.top_dags.length > 0 ? [dags] : []), ...(view.top_tasks.length > 0 ? [tasks] : [])].join('\n');
}

const BARS = ' ▁▂▃▄▅▆▇█';

/** One character for each stretch of time, the highest as high as it goes. */
export function bars(counts: readonly number[]): string {
  const most = Math.max(1, ...counts);
  return counts.map((count) => BARS[count === 0 ? 0 : Math.max(1, Math.round((count / most) * 8))]).join('');
}

export const status = command({
  words: 'status',
  summary: 'Show the service itself: version, mode, store, Airflow, pauses.',
  details: ['Ends with 1 while the service does not reach Airflow.'],
  args: {},
  options: serviceOptions,
  async run({ options }, context) {
    const { json, value: view } = await clientFor(options, context).get('/v1/status', {}, StatusView);
    const { orchestrator, pauses } = view;
    const now = context.nowMs();
    const isReached = orchestrator.status === 'reachable';
    const text = fieldsOf([
      ['version', view.version],
      ['mode', view.mode === 'shadow' ? 'shadow: nothing is cleared' : view.mode],
      ['store', view.store],
      ['airflow', isReached ? `${orchestrator.name} ${orchestrator.version}` : `not reached: ${orchestrator.reason}`],
      ['running since', absolute(view.started_at, now)],
      ['page', view.public_url],
      ...pauses.map(({ scope, actor, comment, at }) => {
        const what = scope === '*' ? 'everything' : scope;
        return ['paused', `${what} by ${actor}, ${absolute(at, now)}${quoted(comment)}`] as const;
      }),
    ]);
    context.screen.out(options.output === 'json' ? jsonText(json) : text);
    return isReached ? 0 : 1;
  },
});
