import { CommandError, type Context, type ExitCode } from '../command.ts';
import { jsonText } from '../parameters.ts';
import { tableOf } from '../print/table.ts';
import type { Answer, ServiceClient } from '../service/client.ts';
import { BulkView } from '../service/views.ts';
import { phaseColour } from './columns.ts';

/** Acted on in one call at most. */
const MOST_RUNS = 10_000;
/** As much as the service takes: a preview is to show how many match, whatever their number. */
const NO_BOUND = 1_000_000;
const BULK_PATH = '/v1/runs/bulk';

export interface BulkOperation {
  readonly client: ServiceClient;
  /** Action, actor, comment and filter. */
  readonly body: { readonly action: string; readonly filter: object };
  /** Null: as many as were shown. */
  readonly maxRuns: number | null;
  readonly isDryRun: boolean;
  /** Whoever typed the command wants no question. */
  readonly isSure: boolean;
  readonly isJson: boolean;
  readonly context: Context;
}

/** Shows what would happen, asks, and does it; where it asked, no more runs are acted on than were shown. */
export async function operateOnMany(operation: BulkOperation): Promise<ExitCode> {
  const { client, body, maxRuns, isDryRun, isSure, isJson, context } = operation;
  const { screen } = context;
  const send = (isOnlyShown: boolean, most: number) =>
    client.post(BULK_PATH, { ...body, dry_run: isOnlyShown, max_runs: most }, BulkView);
  if (!isDryRun && !isSure && screen.ask === null) {
    throw new CommandError(2, 'nobody is there to confirm it: --yes does it without asking, --dry-run only shows');
  }
  for (;;) {
    const preview = await send(true, maxRuns ?? NO_BOUND);
    const { matched, changed } = preview.value;
    if (isDryRun) return report(preview, operation);
    if (changed === 0) return report(preview, operation);
    if (!isJson) screen.out(previewText(preview.value, body.action, context));
    if (!isSure && !(await isConfirmed(changed, body.action, context))) {
      screen.err('dagain: nothing was done\n');
      return 3;
    }
    try {
      // Whoever wants no question and has said which runs means those that have come since, too.
      const isMeant = isSure && Object.keys(body.filter).length > 0;
      return report(await send(false, maxRuns ?? (isMeant ? NO_BOUND : matched)), operation);
    } catch (error) {
      // More have come since: they were not shown, so that nobody can have meant them.
      const hasGrown = error instanceof CommandError && error.code === 'more_runs_than_expected';
      if (!hasGrown || maxRuns !== null) throw error;
      screen.err('dagain: more runs match by now; nothing was done, this is how it is now\n');
    }
  }
}

async function isConfirmed(changed: number, action: string, { screen }: Context): Promise<boolean> {
  const answer = (await screen.ask?.(`${action} ${runs(changed)}? [y/N] `)) ?? '';
  return /^y(es)?$/i.test(answer.trim());
}

function report({ json, value }: Answer<BulkView>, { isJson, isDryRun, body, context }: BulkOperation): ExitCode {
  const { matched, changed, is_complete: isComplete } = value;
  if (isJson) context.screen.out(jsonText(json));
  else if (matched === 0) context.screen.out('No run matches.\n');
  else if (isDryRun || value.dry_run) context.screen.out(previewText(value, body.action, context));
  else context.screen.out(`${body.action}: ${runs(changed)} of ${matched} changed\n`);
  if (!isComplete) context.screen.err(`dagain: more than ${MOST_RUNS} runs match; the others are as they were\n`);
  return changed === 0 ? 3 : 0;
}

function previewText(view: BulkView, action: string, { screen }: Context): string {
  const { matched, changed, outcomes, sample, is_complete: isComplete } = view;
  const table = tableOf(
    [
      { title: 'dag', text: (one) => one.dag_id },
      { title: 'run', text: (one) => one.dag_run_id },
      { title: 'phase', text: (one) => one.phase, colour: ({ phase }) => phaseColour(phase) },
      { title: 'would be', text: ({ decision, reason }) => `${decision} (${reason})` },
    ],
    sample,
    screen,
  );
  const more = matched > sample.length ? `... and ${matched - sample.length} more\n` : '';
  const counts = outcomes.map(({ decision, reason, count }) => `  ${count} ${decision} (${reason})\n`).join('');
  const same = isComplete && changed < matched ? `  ${matched - changed} of these would stay as they are\n` : '';
  return `${table}${more}\n${action} would change ${runs(changed)} of ${matched}:\n${counts}${same}`;
}

function runs(count: number): string {
  return count === 1 ? '1 run' : `${count} runs`;
}
