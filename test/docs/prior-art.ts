/** One option of another system, its name here, and the test that proves it; null where it is not there yet. */
export interface PriorArt {
  readonly system: System;
  readonly theirs: string;
  readonly ours: string;
  readonly proof: Proof | null;
}

export interface Proof {
  readonly file: string;
  /** A part of a title in that file, or of a row of its tables. */
  readonly title: string;
  readonly shown: string;
}

export type System = 'Airflow recipe' | 'Dagster' | 'Coflux' | 'DolphinScheduler';

function row(
  system: System,
  theirs: string,
  ours: string,
  file: string,
  title: string,
  shown = readable(title),
): PriorArt {
  return { system, theirs, ours, proof: { file, title, shown } };
}

/** What is not built: `instead` says what there is meanwhile. */
function notYet(system: System, theirs: string, instead: string): PriorArt {
  return { system, theirs, ours: `not yet: ${instead}`, proof: null };
}

const E2E = 'test/e2e/policy.e2e.ts';
const APP = 'test/app/app.test.ts';

/** Every option that these systems have for retries. */
export const PRIOR_ART: readonly PriorArt[] = [
  row(
    'Airflow recipe',
    'counter in a Variable',
    'one record per run, swapped',
    APP,
    'both hear of every failure: each attempt is cleared once',
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
    E2E,
    'late callbacks start nothing more, and nobody is told twice',
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
    'Airflow recipe',
    'only the callback triggers: a first failure of which no callback tells at all',
    'watch mode (`DAGAIN_WATCH=on`)',
    'test/engine/search.test.ts',
    'is taken up after the time in which its callback may come',
  ),
  row(
    'Airflow recipe',
    'a lost counter counts from zero again',
    "lost state is counted from Airflow's audit log",
    'test/engine/worker.test.ts',
    'a record that is gone is counted anew from the audit log, and given up at the cap',
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
    '`max_retries: 0` turns it off',
    '`max_retries: 0`, also by tag and callback',
    'test/http/with-engine.test.ts',
    'what must not be retried leaves nothing behind',
  ),
  row(
    'Dagster',
    'tag `dagster/max_retries` (job)',
    'Dag tag `dagain/max_retries=N`, `dags[].max_retries`',
    E2E,
    'Dag tags switch retries on',
  ),
  row(
    'Dagster',
    'tag `dagster/max_retries` (run)',
    '`retry: {max_retries}` of the callback',
    'test/http/with-engine.test.ts',
    'a report is stored with its own policy when it is answered',
  ),
  row(
    'Dagster',
    '`dagster/retry_strategy` = FROM_FAILURE',
    '`strategy: from_failure`',
    E2E,
    'from_failure runs only what has failed, and what follows',
  ),
  row(
    'Dagster',
    '`dagster/retry_strategy` = ALL_STEPS',
    '`strategy: all_tasks`',
    E2E,
    'all_tasks runs everything again',
  ),
  row(
    'Dagster',
    'FROM_FAILURE with nothing that failed',
    'all tasks, on the same retry',
    E2E,
    'from_failure falls back to all tasks on the same retry where none has failed',
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
    E2E,
    'a killed task counts as infra, which has a cap of its own, also where nobody tells of it',
  ),
  row(
    'Dagster',
    'system tags retry_number, will_retry, failure_reason',
    'the run view: `attempt`, `retries_used`, `due_at`, `reason`, `history`',
    'test/http/runs.test.ts',
    'in every phase, as the document says',
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
    'Dagster: none',
  ),
  row(
    'Dagster',
    '`Backoff.LINEAR`',
    '`backoff: linear`',
    'test/core/backoff.test.ts',
    "['linear', [10, 20, 30, 40]]",
    'Dagster: linear',
  ),
  row(
    'Dagster',
    '`Backoff.EXPONENTIAL`',
    '`backoff: exponential`',
    'test/core/backoff.test.ts',
    "['exponential', [10, 30, 70, 150]]",
    'Dagster: exponential',
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
    E2E,
    'DoNotRetryDagRun in one of two parallel failures forbids the retry of both',
  ),
  row(
    'Dagster',
    'retry number and outcome shown on the run',
    "the run's note in Airflow, and the run view",
    'test/airflow-simulation/notes.test.ts',
    'are written, replaced and taken away, and a person’s text stays',
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
    'which failures start a retry: not those of manual runs',
  ),
  row('DolphinScheduler', '`failRetryTimes`', '`max_retries`', 'test/core/judgement.test.ts', 'the shared cap'),
  row(
    'DolphinScheduler',
    '`failRetryInterval`, from the end of the task',
    '`delay`: `max(0, delay - (now - ended))`',
    'test/core/backoff.test.ts',
    'DolphinScheduler: max(0, delay - (now - ended)), %s',
    'DolphinScheduler: max(0, delay - (now - ended))',
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
    E2E,
    'ignore_operators: the failure of such a task is not retried',
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
    APP,
    'one is stopped in the middle: the other finishes, and nothing is done twice',
  ),
  row(
    'DolphinScheduler',
    'watch `retryTimes` for unstable tasks',
    '`dagain_retries_total`, `dagain_runs_ended_total`; `GET /v1/runs`',
    'test/http/metrics.test.ts',
    'is there under names that follow the conventions',
  ),
  row(
    'DolphinScheduler',
    '`executeType=REPEAT_RUNNING`',
    '`strategy: all_tasks`',
    E2E,
    'all_tasks runs everything again',
  ),
  row(
    'DolphinScheduler',
    '`executeType=START_FAILURE_TASK_PROCESS`',
    '`strategy: from_failure`',
    E2E,
    'from_failure runs only what has failed, and what follows',
  ),
  row(
    'DolphinScheduler',
    'HTTP alert: only status 200 is delivered',
    'every 2xx is; all else is sent again',
    'test/alerts/webhook.test.ts',
    'answers of %i are %s',
    'answers of 2xx are accepted, all others are not',
  ),
  row(
    'DolphinScheduler',
    'each retry is a new record',
    '`history[]` of the run, one entry for each step of each attempt',
    'test/core/transition/operated.test.ts',
    'the timeline says who did what, and why',
  ),
  row(
    'DolphinScheduler',
    'the page with the most retried tasks',
    "the page's overview: Dags by retries, tasks by failures, over a chosen time",
    'test/console/views.page.ts',
    'ranks Dags by retries and tasks by failures, over the chosen time',
  ),
  row(
    'DolphinScheduler',
    'audit log of what operators did',
    '`GET /v1/events?type=operated`, and the events of the page',
    'test/console/operations.page.ts',
    'are paused and resumed, and everything too; the audit trail says by whom',
  ),
  notYet(
    'DolphinScheduler',
    '`POST /projects/{code}/executors/execute`, header `token`',
    'Airflow is the only orchestrator',
  ),
];

export function priorArtTable(): string {
  const rows = PRIOR_ART.map(({ system, theirs, ours, proof }) => {
    const proved = proof === null ? '' : `[${proof.shown}](${proof.file})`;
    return `| ${system} | ${theirs} | ${ours} | ${proved} |`;
  });
  return ['| system | there | here | proved by |', '|---|---|---|---|', ...rows].join('\n');
}

/** A title as a table can hold it. */
function readable(title: string): string {
  const words = title.startsWith('test_') ? title.slice('test_'.length).replaceAll('_', ' ') : title;
  return words.replaceAll('|', '/').replaceAll(/[[\]]/g, '');
}
