import type { Context } from '../command.ts';
import { eventColumns } from '../event-columns.ts';
import { clientFor, dagId, dagRunId, jsonText, serviceOptions } from '../parameters.ts';
import { tableOf } from '../print/table.ts';
import { coloured, printable } from '../print/text.ts';
import { relative } from '../print/time.ts';
import { pathOf } from '../service/client.ts';
import { ExplainView } from '../service/views.ts';
import { command } from '../tree/spec.ts';

export const runsExplain = command({
  words: 'runs explain',
  summary: 'Say why a run is, or is not, being retried; also of a run that was never reported.',
  details: ['Ends with 3 where neither the service nor Airflow knows the run, or where neither can tell.'],
  args: { dag_id: dagId, dag_run_id: dagRunId },
  options: serviceOptions,
  async run({ args, options }, context) {
    const path = `${pathOf('runs', args.dag_id, args.dag_run_id)}/explain`;
    const { json, value } = await clientFor(options, context).get(path, {}, ExplainView);
    context.screen.out(options.output === 'json' ? jsonText(json) : explanation(value, context));
    return value.verdict === 'unknown_run' || value.verdict === 'not_known' ? 3 : 0;
  },
});

function explanation(view: ExplainView, { screen, nowMs }: Context): string {
  const now = nowMs();
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? '' : `\n${title}\n${lines.map((line) => `  - ${printable(line)}\n`).join('')}`;
  const audit = view.audit_log.entries.map(({ at, action, by, is_ours, task_id }) => {
    const who = is_ours ? 'dagain' : (by ?? 'somebody');
    return `${relative(at, now)}: ${action}${task_id === null ? '' : ` (${task_id})`} by ${who}`;
  });
  const events = view.events.length === 0 ? '' : `\nWhat happened\n${tableOf(eventColumns(now), view.events, screen)}`;
  return [
    `${coloured(view.verdict, 'bold', screen.isColoured)}: ${printable(view.summary)}\n`,
    list('Because', view.because),
    list('What you can do', view.advice),
    list("Airflow's audit log", audit),
    events,
  ].join('');
}
