/** One option of another system, its name here, and the test that proves it: a file and a part of a title in it. */
export interface PriorArt {
  readonly system: System;
  readonly theirs: string;
  readonly ours: string;
  readonly file: string;
  readonly title: string;
}

export type System = 'Airflow recipe' | 'Dagster' | 'Coflux' | 'DolphinScheduler';

function row(system: System, theirs: string, ours: string, file: string, title: string): PriorArt {
  return { system, theirs, ours, file, title };
}

/** Every option that these systems have for retries. */
export const PRIOR_ART: readonly PriorArt[] = [
  row(
    'Airflow recipe',
    'counter in a Variable',
    'one record per run, swapped',
    'test/engine/swap-loop.test.ts',
    'reports that come in together are stored by a few swaps',
  ),
  row(
    'Airflow recipe',
    'clear inside the callback',
    '`gate: settled`: only a run that was seen failed',
    'test/core/transition/properties.test.ts',
    'only after a look that was made when it was due, at a run that was seen failed just now',
  ),
  row(
    'Airflow recipe',
    '"a second clear is a no-op"',
    'one clear per attempt; lost answers are read first',
    'test/engine/clearing.test.ts',
    'whose answer got lost is read before it is repeated',
  ),
  row(
    'Airflow recipe',
    'counter deleted on give-up',
    'tombstone (`DAGAIN_TOMBSTONE_TTL`)',
    'test/core/transition/alerts.test.ts',
    'expires, and not a millisecond before',
  ),
  row(
    'Airflow recipe',
    'counter deleted on success',
    'the record goes when Airflow shows the success',
    'test/e2e/main-job.e2e.ts',
    'succeeds, and nothing is kept',
  ),
  row(
    'Airflow recipe',
    'no delay',
    '`delay`, `backoff`, `jitter`',
    'test/core/transition/clearing.test.ts',
    'does not happen a millisecond before the delay is over',
  ),
  row(
    'Airflow recipe',
    'static token',
    'login, renewal, `DAGAIN_AIRFLOW_TOKEN_FILE`',
    'test/orchestrator/auth.test.ts',
    'is shown again before a token of %s expires',
  ),
  row(
    'Airflow recipe',
    '"alert on the cap being hit"',
    'outbox, delivered at least once',
    'test/engine/announcer.test.ts',
    'an answer that cannot be stored leaves the alert for the next try: delivered at least once',
  ),
  row(
    'Airflow recipe',
    'only the callback triggers',
    'watched runs are looked at every `DAGAIN_SWEEP_INTERVAL`',
    'test/core/transition/pending.test.ts',
    'that fails without a callback counts all the same',
  ),
  row(
    'Dagster',
    '`run_retries.enabled`, `max_retries` (instance)',
    '`DAGAIN_MAX_RETRIES`, `defaults.max_retries`; 0 = off',
    'test/core/resolve-policy.test.ts',
    'a layer sets it, and the next one wins',
  ),
  row(
    'Dagster',
    'tag `dagster/max_retries` (job)',
    'Dag tag `dagain/max_retries=N`, `dags[].max_retries`',
    'test/core/tag-layer.test.ts',
    'readTags',
  ),
  row(
    'Dagster',
    'tag `dagster/max_retries` (run)',
    '`retry: {max_retries}` of the callback',
    'test/core/transition/pending.test.ts',
    'is kept in the record, as a copy',
  ),
  row(
    'Dagster',
    '`dagster/retry_strategy` = FROM_FAILURE',
    '`strategy: from_failure`',
    'test/orchestrator/clear.test.ts',
    'to Airflow 2 for failed tasks only',
  ),
  row(
    'Dagster',
    '`dagster/retry_strategy` = ALL_STEPS',
    '`strategy: all_tasks`',
    'test/engine/clearing.test.ts',
    'happens after the swap that spends the retry, with what the policy says',
  ),
  row(
    'Dagster',
    'FROM_FAILURE with nothing that failed',
    'all tasks, on the same retry',
    'test/core/transition/clearing.test.ts',
    'of failed tasks only is followed by one of all tasks, on the same retry',
  ),
  row(
    'Dagster',
    '`retry_on_asset_or_op_failure: false`',
    '`retry_on: [infra, timeout, deadlock]`',
    'test/core/judgement.test.ts',
    'which failures start a retry',
  ),
  row(
    'Dagster',
    'separate counting of crashes',
    '`max_retries_by_class`',
    'test/core/judgement.test.ts',
    'caps of single classes',
  ),
  row(
    'Dagster',
    'run crashes are retried too (the daemon)',
    'the look at watched runs; failed tasks named from Airflow',
    'test/core/transition/unreported.test.ts',
    'names the tasks that failed, as infra',
  ),
  row(
    'Dagster',
    'system tags retry_number, will_retry, failure_reason',
    'the run view: `attempt`, `retries_used`, `due_at`, `reason`, `history`',
    'test/http/runs.test.ts',
    'in full',
  ),
  row(
    'Dagster',
    'root_run_id',
    'the run keeps its id over all attempts; `history[]` has them',
    'test/e2e/main-job.e2e.ts',
    'is cleared twice, succeeds',
  ),
  row(
    'Dagster',
    '`RetryPolicy(max_retries, delay)`',
    '`max_retries`, `delay`',
    'test/core/backoff.test.ts',
    'Dagster: %s',
  ),
  row('Dagster', '`Backoff.LINEAR`', '`backoff: linear`', 'test/core/backoff.test.ts', "['linear', [10, 20, 30, 40]]"),
  row(
    'Dagster',
    '`Backoff.EXPONENTIAL`',
    '`backoff: exponential`',
    'test/core/backoff.test.ts',
    "['exponential', [10, 30, 70, 150]]",
  ),
  row(
    'Dagster',
    '`Jitter.FULL`, `Jitter.PLUS_MINUS`',
    '`jitter: full`, `plus_minus`',
    'test/core/backoff.test.ts',
    'Dagster: FULL is a share of the delay, PLUS_MINUS one base delay around it, never below 0',
  ),
  row(
    'Dagster',
    'no upper limit on the delay',
    '`max_delay`, `limits.max_delay`',
    'test/core/backoff.test.ts',
    'is a whole number between 0 and max_delay, the same every time',
  ),
  row(
    'Dagster',
    '`RetryRequested(max_retries, seconds_to_wait)`',
    '`raise RetryDagRun(max_retries=, delay=)`',
    'deploy/airflow/tests/test_terms.py',
    'test_the_failing_code_sets_the_terms_of_the_retry',
  ),
  row(
    'Dagster',
    '`raise ... from e`',
    'the chain of causes is searched',
    'deploy/airflow/tests/test_terms.py',
    'test_the_chain_of_causes_is_searched',
  ),
  row(
    'Dagster',
    '`allow_retries=False` of a Failure',
    '`raise DoNotRetryDagRun(...)`, `never_on`',
    'test/core/transition/refused.test.ts',
    'DoNotRetryDagRun among the failures of one attempt',
  ),
  row('Coflux', '`retries=N`', '`retries: N`', 'test/core/resolve-policy.test.ts', 'N sets only the cap'),
  row(
    'Coflux',
    '`(N, delay)`',
    '`retries: [N, delay]`',
    'test/core/resolve-policy.test.ts',
    '[N, delay] waits exactly that long each time',
  ),
  row(
    'Coflux',
    '`(N, min, max)`, `backoff=(min, max)`',
    '`retries: [N, min, max]`',
    'test/core/backoff.test.ts',
    'Coflux: (5, 300, 600) starts at 300, 675, 1125, 1650 and 2250 s',
  ),
  row(
    'Coflux',
    'limit None: unlimited, uniform delay',
    '`retries: [unlimited, min, max]`, under `limits`',
    'test/core/backoff.test.ts',
    'Coflux: without a limit, anywhere in the range, and another place each time',
  ),
  row(
    'Coflux',
    '`when` = exception classes',
    '`dagain_callback(when=...)`',
    'deploy/airflow/tests/test_terms.py',
    'test_when_says_which_failures_are_worth_another_attempt',
  ),
  row(
    'Coflux',
    '`when` = a predicate',
    '`dagain_callback(when=lambda context, exception: ...)`',
    'deploy/airflow/tests/test_terms.py',
    'test_a_predicate_is_asked_with_none_where_airflow_knows_no_exception',
  ),
  row(
    'Coflux',
    'a predicate that raises stays retryable',
    'the same',
    'deploy/airflow/tests/test_terms.py',
    'test_a_predicate_that_raises_leaves_the_failure_retryable',
  ),
  row(
    'Coflux',
    'runs started by hand',
    '`manual_runs: retry \\| ignore`',
    'test/core/judgement.test.ts',
    "{ manualRuns: 'ignore' }, { runType: 'manual' }, 'manual_run'",
  ),
  row('DolphinScheduler', '`failRetryTimes`', '`max_retries`', 'test/core/judgement.test.ts', 'the shared cap'),
  row(
    'DolphinScheduler',
    '`failRetryInterval`, from the end of the task',
    '`delay`: `max(0, delay - (now - ended))`',
    'test/core/backoff.test.ts',
    'DolphinScheduler: max(0, delay - (now - ended)), %s',
  ),
  row(
    'DolphinScheduler',
    'state machine plus delay queue',
    'the record and its due index',
    'test/core/transition/table.test.ts',
    'the tables name every event once',
  ),
  row(
    'DolphinScheduler',
    'first submit time is kept',
    '`first_failed_at`, `max_duration`',
    'test/core/judgement.test.ts',
    'max_duration',
  ),
  row(
    'DolphinScheduler',
    'logical nodes are not retryable',
    '`ignore_operators`, `ignore_tasks`, `only_tasks`',
    'test/core/judgement.test.ts',
    'which failures start a retry',
  ),
  row(
    'DolphinScheduler',
    'pause while waiting',
    '`POST .../pause`, `resume`',
    'test/core/transition/operated.test.ts',
    'a paused run is not due, but for its alerts; resumed, it is due as before',
  ),
  row(
    'DolphinScheduler',
    'terminate while waiting',
    '`POST .../cancel`',
    'test/core/transition/operated.test.ts',
    'alerts nobody, and a late callback starts nothing',
  ),
  row(
    'DolphinScheduler',
    'failover to another master',
    'any replica takes over what is due',
    'test/store/contract.test.ts',
    'a lease hides the run until it ends, and does not change the record',
  ),
  row(
    'DolphinScheduler',
    'watch `retryTimes` for unstable tasks',
    '`dagain_clears_total`, `dagain_runs_ended_total`; `GET /v1/runs`',
    'test/http/metrics.test.ts',
    'is there under names that follow the conventions',
  ),
  row(
    'DolphinScheduler',
    '`executeType=REPEAT_RUNNING`',
    '`strategy: all_tasks`',
    'test/orchestrator/clear.test.ts',
    'to %s for %j',
  ),
  row(
    'DolphinScheduler',
    '`executeType=START_FAILURE_TASK_PROCESS`',
    '`strategy: from_failure`',
    'test/orchestrator/clear.test.ts',
    'to Airflow 2 for failed tasks only',
  ),
  row(
    'DolphinScheduler',
    'HTTP alert: only status 200 is delivered',
    'every 2xx is; all else is sent again',
    'test/alerts/webhook.test.ts',
    'answers of %i are %s',
  ),
];

export function priorArtTable(): string {
  const rows = PRIOR_ART.map(
    ({ system, theirs, ours, file, title }) => `| ${system} | ${theirs} | ${ours} | [${readable(title)}](${file}) |`,
  );
  return ['| system | there | here | proved by |', '|---|---|---|---|', ...rows].join('\n');
}

/** A title as a table can hold it. */
function readable(title: string): string {
  return title
    .replaceAll('|', '/')
    .replace(/^test_/, '')
    .replaceAll('_', ' ')
    .replaceAll(/[[\]{}]/g, '');
}
