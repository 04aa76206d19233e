import type { Column } from '../print/table.ts';
import type { Colour } from '../print/text.ts';
import { relative } from '../print/time.ts';
import type { RunSummary } from '../service/views.ts';

type Listed = Pick<
  RunSummary,
  | 'dag_id'
  | 'dag_run_id'
  | 'phase'
  | 'retries_used'
  | 'max_retries'
  | 'due_at'
  | 'held'
  | 'paused'
  | 'shadow'
  | 'reason'
  | 'first_failed_at'
  | 'last_failure'
>;

/** How runs stand in a list. */
export function runColumns(nowMs: number): Column<Listed>[] {
  return [
    { title: 'dag', text: (run) => run.dag_id },
    { title: 'run', text: (run) => run.dag_run_id },
    { title: 'phase', text: (run) => run.phase, colour: ({ phase }) => phaseColour(phase) },
    { title: 'retries', text: ({ retries_used, max_retries }) => `${retries_used}/${max_retries}` },
    { title: 'next retry', text: (run) => nextRetry(run, nowMs) },
    { title: 'first failed', text: (run) => relative(run.first_failed_at, nowMs) },
    { title: 'last failure', text: lastFailure },
    { title: 'remark', text: remarkOn, colour: () => 'yellow' },
  ];
}

export function phaseColour(phase: string): Colour | null {
  if (phase === 'gave_up' || phase === 'giving_up') return 'red';
  if (phase === 'watching' || phase === 'clearing') return 'cyan';
  return phase === 'waiting' ? 'yellow' : null;
}

export function nextRetry(run: Pick<Listed, 'due_at' | 'held' | 'paused'>, nowMs: number): string {
  if (run.due_at === null) return '';
  if (run.held !== null) return 'when resumed';
  if (run.paused !== null) return run.paused.scope === '*' ? 'when everything resumes' : 'when its Dag resumes';
  return relative(run.due_at, nowMs).endsWith('ago') ? 'due' : relative(run.due_at, nowMs);
}

function lastFailure({ last_failure: failure }: Listed): string {
  if (failure === null || failure === undefined) return '';
  return [failure.task_id ?? 'the run', failure.exception_type].filter((part) => part !== null).join(': ');
}

function remarkOn({ held, paused, reason, shadow }: Listed): string {
  const remarks = [
    reason,
    held === null ? null : `held by ${held.actor}`,
    paused === null ? null : `${paused.scope === '*' ? 'everything is' : 'Dag is'} paused by ${paused.actor}`,
    shadow ? 'shadow' : null,
  ];
  return remarks.filter((one) => one !== null).join(', ');
}
