/** Stable words for where a run stands, as the explanation of a run begins with one. */
export const VERDICTS = [
  'retry_pending',
  'confirming',
  'clearing',
  'attempt_running',
  'held',
  'paused',
  'gave_up',
  /** Shadow mode: the retry was decided, and only rehearsed. */
  'would_have_retried',
  'recovered',
  /** Queued, running or successful, and nothing is kept of it. */
  'not_failed',
  /** Failed, and the policy would retry it, but nothing has arrived. */
  'never_reported',
  'not_retried_by_policy',
  /** Only the journal knows it. */
  'ended',
  /** The orchestrator does not know it either. */
  'unknown_run',
  /** Nobody who could tell can be asked. */
  'not_known',
] as const;
export type ExplainVerdict = (typeof VERDICTS)[number];
