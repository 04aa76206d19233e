import type { Context } from '../command.ts';
import { clientFor, dagId, dagRunId, jsonText, serviceOptions } from '../parameters.ts';
import { fieldsOf, tableOf } from '../print/table.ts';
import { quoted } from '../print/text.ts';
import { absolute, relative } from '../print/time.ts';
import { pathOf } from '../service/client.ts';
import { RunView } from '../service/views.ts';
import { command } from '../tree/spec.ts';
import { nextRetry } from './columns.ts';

export const runsShow = command({
  words: 'runs show',
  summary: 'Show one run: where it stands, its failures and its timeline.',
  args: { dag_id: dagId, dag_run_id: dagRunId },
  options: serviceOptions,
  async run({ args, options }, context) {
    const path = pathOf('runs', args.dag_id, args.dag_run_id);
    const { json, value } = await clientFor(options, context).get(path, {}, RunView);
    context.screen.out(options.output === 'json' ? jsonText(json) : runText(value, context));
    return 0;
  },
});

/** A run with all that is kept of it. */
export function runText(run: RunView, { screen, nowMs }: Pick<Context, 'screen' | 'nowMs'>): string {
  const now = nowMs();
  const failures = tableOf(
    [
      { title: 'failed', text: (one) => relative(one.failed_at, now) },
      { title: 'task', text: (one) => taskOf(one) },
      { title: 'class', text: (one) => one.failure_class },
      {
        title: 'exception',
        text: ({ exception }) => [exception?.type, exception?.message].filter((part) => part).join(': '),
      },
    ],
    run.failures,
    screen,
  );
  const history = tableOf(
    [
      { title: 'when', text: (one) => relative(one.at, now) },
      { title: 'attempt', text: (one) => String(one.attempt), isRight: true },
      { title: 'what', text: (one) => one.type },
      { title: 'reason', text: (one) => one.reason },
      { title: 'detail', text: (one) => one.detail ?? '' },
    ],
    run.history,
    screen,
  );
  const parts = [factsOf(run, now)];
  if (run.failures.length > 0) parts.push(`Failures of attempt ${run.attempt}\n${failures}`);
  if (run.history.length > 0) parts.push(`Timeline\n${history}`);
  return parts.join('\n');
}

function taskOf({ task_id, map_index }: RunView['failures'][number]): string {
  if (task_id === null) return 'the run';
  return map_index === null || map_index < 0 ? task_id : `${task_id}[${map_index}]`;
}

function factsOf(run: RunView, now: number): string {
  const { held, paused } = run;
  const by = (mark: { actor: string; comment: string; at: string | null }) =>
    `${mark.actor}, ${relative(mark.at, now)}${quoted(mark.comment)}`;
  return fieldsOf([
    ['dag', run.dag_id],
    ['run', run.dag_run_id],
    ['phase', run.reason === null ? run.phase : `${run.phase}: ${run.reason}`],
    ['attempt', String(run.attempt)],
    ['retries', `${run.retries_used} of ${run.max_retries} used`],
    ['next retry', held === null && paused === null ? absolute(run.due_at, now) : nextRetry(run, now) || null],
    ['next look', absolute(run.next_look_at, now)],
    ['failure class', run.failure_class],
    ['first failed', absolute(run.first_failed_at, now)],
    ['held by', held === null ? null : by(held)],
    ['paused', paused === null ? null : `${paused.scope === '*' ? 'everything' : 'its Dag'}, by ${by(paused)}`],
    ['mode', run.shadow ? 'shadow: nothing is cleared' : null],
    ['unsent alerts', run.pending_alerts === 0 ? null : String(run.pending_alerts)],
    ['in Airflow', run.airflow_url],
  ]);
}
