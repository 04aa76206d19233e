import { z } from 'zod';
import { Id } from '../../core/run-key.ts';
import { actorOf } from '../actor.ts';
import { type Context, type ExitCode, misuseOf } from '../command.ts';
import { actorOptions, clientFor, count, filterOptions, jsonText, serviceOptions, yes } from '../parameters.ts';
import { printable } from '../print/text.ts';
import { pathOf } from '../service/client.ts';
import { OperationView } from '../service/views.ts';
import { type Command, command, flag, type Values, value } from '../tree/spec.ts';
import { operateOnMany } from './bulk.ts';
import { nextRetry } from './columns.ts';
import { filterBody } from './filter.ts';

/** The most that one call acts on. */
const MOST_RUNS = 10_000;
const MOST_RETRIES = 100;

const OPERATIONS = [
  ['pause', 'Hold runs: nothing but their alerts is done for them until they are resumed.'],
  ['resume', 'Let runs go on that were paused; what is due is done at once.'],
  ['cancel', 'Give runs up without an alert: no further retry.'],
  ['retry-now', 'Retry runs without waiting for their delay.'],
  ['grant', 'Allow runs more retries than the policy does.'],
  ['reset', 'Forget the count of runs: the next failure is their first.'],
] as const;
type OperationName = (typeof OPERATIONS)[number][0];

const bulkOptions = {
  ...filterOptions,
  all: flag('Every run: instead of a filter.'),
  'max-runs': value(count(0, MOST_RUNS), '<n>', 'Do nothing where more runs match.'),
  'dry-run': flag('Only show what would happen.'),
  yes,
};
const args = {
  dag_id: value(Id.optional(), '<dag_id>', 'The Dag of one run; without it the filter says which runs.'),
  dag_run_id: value(Id.optional(), '<dag_run_id>', 'The run, as Airflow names it.'),
};
const options = { ...bulkOptions, ...actorOptions, ...serviceOptions };
const grantOptions = {
  retries: value(z.string().pipe(count(1, MOST_RETRIES).unwrap()), '<n>', 'How many more.'),
  ...options,
};

export const runOperations: readonly Command[] = OPERATIONS.map(([action, summary]) => {
  const about = {
    words: `runs ${action}`,
    summary,
    details: [
      'One run by its ids, or all runs that a filter leaves in. Many runs are shown first, and asked about; where nobody is ' +
        'there to answer, --yes is needed. Where it asks, no more runs are acted on than were shown.',
    ],
    args,
  };
  if (action !== 'grant') {
    return command({ ...about, options, run: (given, context) => operate(action, undefined, given, context) });
  }
  return command({
    ...about,
    details: [...about.details, 'Many runs are granted more only where they were given up: --phase giving_up,gave_up.'],
    options: grantOptions,
    run: (given, context) => operate(action, given.options.retries, given, context),
  });
});

interface Given {
  readonly args: Values<typeof args>;
  readonly options: Values<typeof options>;
}

async function operate(
  action: OperationName,
  retries: number | undefined,
  { args: { dag_id, dag_run_id }, options: given }: Given,
  context: Context,
): Promise<ExitCode> {
  const misuse = (problem: string) => misuseOf(`runs ${action}`, problem);
  const filter = filterBody(given);
  const isBulk = given.all || Object.keys(filter).length > 0;
  if (given.all && Object.keys(filter).length > 0) throw misuse('--all goes with no filter');
  const body = { ...actorOf(given, context), ...(retries === undefined ? {} : { retries }) };
  const client = clientFor(given, context);
  const isJson = given.output === 'json';
  if (dag_id === undefined) {
    if (!isBulk) throw misuse(`runs ${action} takes a Dag id and a run id, a filter, or --all`);
    if (action === 'grant' && !isOfGivenUp(given.phase)) {
      throw misuse('runs grant takes many runs only of those given up: --phase giving_up,gave_up');
    }
    const { 'max-runs': maxRuns = null, 'dry-run': isDryRun, yes: isSure } = given;
    return operateOnMany({ client, body: { ...body, action, filter }, maxRuns, isDryRun, isSure, isJson, context });
  }
  if (dag_run_id === undefined) throw misuse(`<dag_run_id> is missing; --dag ${dag_id} means all its runs`);
  const misplaced = given['dry-run'] ? '--dry-run' : given['max-runs'] === undefined ? null : '--max-runs';
  if (isBulk || misplaced !== null) throw misuse(`${misplaced ?? 'a filter'} goes with no run id`);
  const path = `${pathOf('runs', dag_id, dag_run_id)}/${action}`;
  const { json, value: answer } = await client.post(path, body, OperationView);
  context.screen.out(isJson ? jsonText(json) : outcomeText(`${dag_id} ${dag_run_id}`, action, answer, context.nowMs()));
  return 0;
}

/** Of these, asking again after a failure grants none twice; the service insists on it. */
function isOfGivenUp(phases: readonly string[] | undefined): boolean {
  return phases?.every((phase) => phase === 'giving_up' || phase === 'gave_up') ?? false;
}

type Outcome = z.infer<typeof OperationView>;

function outcomeText(name: string, action: OperationName, outcome: Outcome, nowMs: number): string {
  const { decision, reason } = outcome;
  return printable(`${name}: ${decision} (${reason}); ${stateText(action, outcome, nowMs)}`).concat('\n');
}

/** What a reset leaves of a run that was cleared stands for no give-up. */
function stateText(action: OperationName, { run }: Outcome, nowMs: number): string {
  if (action === 'reset') return 'the next failure counts as its first';
  if (run === null) return 'nothing is kept of it any more';
  const used = action === 'grant' ? `, ${run.retries_used} of ${run.max_retries} retries used` : '';
  const next = run.due_at === null ? '' : `, next retry ${nextRetry(run, nowMs)}`;
  return `now ${run.phase}${used}${next}`;
}
