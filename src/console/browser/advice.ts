import { ApiError } from './api.ts';
import { reasonText } from './words.ts';

/** What went wrong, in a sentence. */
export function messageOf(error: unknown): string {
  const reason = refusalOf(error);
  if (reason !== null) return `This is not possible now: ${reasonText(reason)}.`;
  return error instanceof Error ? error.message : String(error);
}

/** Why the service would not do something to a run: the stable word with which its answer ends. */
function refusalOf(error: unknown): string | null {
  if (!(error instanceof ApiError) || error.code !== 'operation_not_possible') return null;
  return /: ([a-z_]+)$/.exec(error.message)?.[1] ?? null;
}

const MOVED_ON = 'The run has moved on; look at its present phase and decide again.';
const BY_REFUSAL: Readonly<Record<string, string>> = {
  clear_under_way: 'Try again in a minute.',
  paused_by_operator: 'Resume the retries of its Dag, or of everything, first.',
  held_by_operator: 'Resume the run first.',
  limit_reached: 'No more can be granted; raise limits.max_retries in the policy, or clear the run in Airflow.',
};

/** What to do about an error, in one sentence. */
export function adviceFor(error: unknown): string {
  if (!(error instanceof ApiError)) return 'Load the page again; if it stays, the browser console says more.';
  switch (error.code) {
    case 'no_answer':
      return 'The page tries again by itself.';
    case 'outcome_unknown':
      return 'It may have been done all the same: look before you try again.';
    case 'unauthenticated':
    case 'forbidden':
      return 'Sign in with a token from DAGAIN_OPERATOR_TOKEN.';
    case 'run_not_found':
      return 'The run may have recovered meanwhile, and its record be gone.';
    case 'operation_not_possible':
      return BY_REFUSAL[refusalOf(error) ?? ''] ?? MOVED_ON;
    case 'more_runs_than_expected':
      return 'More runs match than the preview showed: preview again.';
    case 'store_unavailable':
    case 'store_contention':
      return 'Nothing was changed; try again in a moment.';
    default:
      return error.status >= 500 ? "Look the request up in the service's log." : 'Correct what is named and try again.';
  }
}
