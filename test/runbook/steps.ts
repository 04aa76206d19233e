import {
  airflowUnreachable,
  alertsUndeliverable,
  attemptCap,
  calm,
  credentialsRefused,
  givenUp,
  retryStorm,
  type Situation,
  serviceTrouble,
  storeLost,
} from './situations.ts';

/** A command of a page, in its order: how it ends there, and what it shows. */
export type Step = readonly [command: string, code: number, shows: RegExp, after?: string];

export interface Page {
  readonly name: string;
  readonly situation: () => Promise<Situation>;
  readonly steps: readonly Step[];
}

const metric = (pattern: string) => `curl -s "$DAGAIN_URL/metrics" | grep '${pattern}'`;
const PROBE = `curl -sS -m 10 -o /dev/null -w '%{http_code}\\n' "$DAGAIN_AIRFLOW_URL/api/v2/version"`;
const NONE = /^No run matches/;

/** Every page with commands. `after`: what happens just before the command. */
export const PAGES: readonly Page[] = [
  { name: 'README.md', situation: calm, steps: [['dagain status', 0, /^version .*\nmode +active\n/]] },
  {
    name: 'given-up.md',
    situation: givenUp,
    steps: [
      ['dagain runs explain "$DAG" "$RUN"', 0, /^gave_up: Given up at .* \(never_on; /],
      ['dagain runs show "$DAG" "$RUN"', 0, /gave_up: never_on[\s\S]*AirflowFailException/],
      ['dagain events --type gave_up --since 24h', 0, /gave_up +etl_daily +r1 /],
      ['dagain policy explain "$DAG"', 0, /\n +never_on +.*AirflowFailException/],
      ['dagain runs grant "$DAG" "$RUN" --retries 1 --comment "cause mended"', 0, /granted_by_operator/, 'mended'],
      ['dagain runs watch "$DAG" "$RUN"', 0, / recovered \(run_succeeded\)\n$/],
    ],
  },
  {
    name: 'attempt-cap.md',
    situation: attemptCap,
    steps: [
      ['dagain runs explain "$DAG" "$RUN"', 0, /^gave_up: [\s\S]*What you can do/],
      ['dagain runs show "$DAG" "$RUN"', 0, /gave_up: max_retries_reached[\s\S]*Failures of attempt 2\n/],
      ['dagain runs list --phase gave_up --newer-than 24h', 0, /\netl_daily +r1 [\s\S]*\netl_daily +r2 /],
      ['dagain stats --window 24h', 0, /2 gave_up[\s\S]*\netl_daily +load +\d/],
      [metric('^dagain_runs_ended_total{how="gave_up"'), 0, /reason="max_retries_reached"\} 2\n/],
      ['dagain runs grant "$DAG" "$RUN" --retries 1 --comment "cause mended"', 0, /granted_by_operator/, 'mended'],
      [
        'dagain runs grant --phase gave_up --reason max_retries_reached --newer-than 24h --retries 1 --comment "cause mended" --dry-run',
        0,
        /\ngrant would change 1 run of 1:\n/,
      ],
      ['dagain runs watch "$DAG" "$RUN"', 0, / recovered \(run_succeeded\)\n$/],
      ['dagain runs list --phase gave_up --newer-than 24h', 0, NONE, 'all are granted, and recover'],
    ],
  },
  {
    name: 'store-lost.md',
    situation: storeLost,
    steps: [
      ['curl -s "$DAGAIN_URL/readyz"', 0, /^\{"status":"unready",.*"store":\{.*"ok":false/],
      ['redis-cli -u "$DAGAIN_REDIS_URL" ping', 1, /^$/],
      [metric('^dagain_store_up'), 0, /^dagain_store_up 0\n$/],
      ['dagain runs list', 4, /^$/],
      ['redis-cli -u "$DAGAIN_REDIS_URL" ping', 0, /^PONG\n$/, 'Redis is back'],
      ['curl -sf "$DAGAIN_URL/readyz"', 0, /^\{"status":"ready"/],
      ['dagain runs list', 0, /\netl_daily +r1 +waiting /],
      [
        'dagain dags pause --all --comment "store was lost"',
        0,
        /^everything: paused by ada\n$/,
        'Redis has lost everything',
      ],
      [metric('^dagain_store_losses_total'), 0, /\{how="emptied"\} [1-9]/],
      ['redis-cli -u "$DAGAIN_REDIS_URL" config get appendonly', 0, /^appendonly\nyes\n$/],
      ['redis-cli -u "$DAGAIN_REDIS_URL" config get maxmemory-policy', 0, /^maxmemory-policy\nnoeviction\n$/],
      ['dagain runs list --phase gave_up --reason state_lost', 0, NONE],
      [
        'dagain runs grant --phase gave_up --reason state_lost --retries 1 --comment "looked at in Airflow" --dry-run',
        3,
        NONE,
      ],
      ['dagain runs list --newer-than 24h', 0, /\ngiven_up +after /],
    ],
  },
  {
    name: 'airflow-unreachable.md',
    situation: airflowUnreachable,
    steps: [
      ['dagain status', 1, /\nairflow +not reached: /],
      [PROBE, 7, /^000\n$/],
      [
        metric('^dagain_orchestrator_status{.*} 1$'),
        0,
        /^dagain_orchestrator_status\{status="(?!reachable)\w+"\} 1\n$/,
      ],
      ['dagain runs list --phase confirming,waiting,clearing,watching', 0, /\netl_daily +r1 /],
      ['dagain doctor', 1, /\nairflow +fail /],
      ['dagain dags pause --all --comment "Airflow is being upgraded"', 0, /^everything: paused by ada\n$/],
      [PROBE, 0, /^200\n$/, 'Airflow is back'],
      ['dagain status', 0, /\nairflow +airflow 3\.3\.2\n[\s\S]*\npaused +everything by ada, /],
      ['dagain dags pause "$DAG" --comment "one after the other"', 0, /^etl_daily: paused by ada\n$/],
      ['dagain dags resume --all', 0, /^everything: not paused\n$/],
      ['dagain dags resume "$DAG"', 0, /^etl_daily: not paused\n$/],
      ['dagain events --type retried --since 1h', 0, /^Nothing like that happened\.\n$/],
    ],
  },
  {
    name: 'credentials-refused.md',
    situation: credentialsRefused,
    steps: [
      ['dagain status', 1, /\nairflow +not reached: unauthorized\n/],
      ['dagain doctor', 1, /\ncredentials +fail /],
      [
        `curl -s "$DAGAIN_URL/metrics" | grep -E '^dagain_orchestrator_status\\{status="(unauthorized|forbidden)"\\}'`,
        0,
        /\{status="unauthorized"\} 1\n/,
      ],
      ['dagain runs list --phase confirming,waiting', 0, /\netl_daily +r1 +confirming /],
      [
        `curl -s "$DAGAIN_URL/metrics" | grep -E '^dagain_orchestrator_call_duration_seconds_count\\{.*result="(unauthorized|forbidden)"'`,
        0,
        /operation="describe_dag",result="unauthorized"/,
      ],
      ['dagain doctor', 0, /, 0 failed\n$/, 'the password is put right'],
      ['dagain status', 0, /\nairflow +airflow 3\.3\.2\n/, 'the service is started with it'],
      ['dagain runs list --phase confirming,waiting', 0, /\netl_daily +r1 +waiting /],
    ],
  },
  {
    name: 'alerts-undeliverable.md',
    situation: alertsUndeliverable,
    steps: [
      ['dagain alerts test', 1, /^webhook +alert not accepted/],
      [metric('^dagain_pending_alerts'), 0, /\{channel="webhook"\} 1\n/],
      [metric('^dagain_oldest_pending_alert_timestamp_seconds'), 0, / \d{10}/],
      ['dagain runs list --phase giving_up', 0, /\ngiven_up +r1 +giving_up /],
      ['dagain events --type gave_up --since 24h', 0, /gave_up +given_up +r1 /],
      ['dagain alerts test', 0, /^webhook +alert and recovery accepted\n$/, 'the receiver is mended'],
      ['dagain stats --window 1h', 0, /, 0 unsent alerts\n/],
      ['dagain runs list --phase giving_up', 0, NONE],
    ],
  },
  {
    name: 'service-trouble.md',
    situation: serviceTrouble,
    steps: [
      ['dagain status', 0, /\npaused +/],
      ['curl -s "$DAGAIN_URL/readyz"', 0, /^\{"status":"ready"/],
      ['dagain doctor', 1, /\npolicy file +fail /],
      ['curl -sf "$DAGAIN_URL/readyz"', 0, /^\{"status":"ready"/],
      ['dagain runs list --newer-than 24h', 0, /\netl_daily +r1 /],
      [
        `curl -s "$DAGAIN_URL/metrics" | grep -E '^dagain_(store|orchestrator)_call_duration_seconds_(sum|count)'`,
        0,
        /dagain_orchestrator_[\s\S]*dagain_store_/,
      ],
      [
        `curl -s "$DAGAIN_URL/metrics" | grep -E '^(nodejs_eventloop_lag_p99_seconds|process_cpu_seconds_total) '`,
        0,
        /^process_cpu_seconds_total .*\nnodejs_eventloop_lag_p99_seconds .*\n$/,
      ],
      ['dagain stats --window 1h', 0, /\d due, /],
      [metric('^dagain_work_failures_total'), 0, /^dagain_work_failures_total 0\n$/],
      [metric('^dagain_callbacks_total'), 0, /decision="retry_scheduled"/],
      [metric('^dagain_swap_conflicts_total'), 0, /^dagain_swap_conflicts_total/],
      ['dagain policy check "$DAGAIN_POLICY_FILE"', 1, /^$/],
      [metric('^dagain_policy_last_reload_successful'), 0, /_successful 1\n$/, 'the policy file is mended'],
      [
        `curl -s "$DAGAIN_URL/metrics" | grep -E '^dagain_http_request_duration_seconds_count\\{.*route="/v1/callbacks/.*status="[45]'`,
        0,
        /status="401"\} 1\n/,
      ],
      ['dagain dags resume "$DAG"', 0, /^etl_daily: not paused\n$/],
      ['dagain dags resume --all', 0, /^everything: not paused\n$/],
      ['dagain status', 0, /^(?![\s\S]*\npaused )/],
    ],
  },
  {
    name: 'retry-storm.md',
    situation: retryStorm,
    steps: [
      ['dagain dags pause --all --comment "retry storm, looking into it"', 0, /^everything: paused by ada\n$/],
      ['dagain dags list', 0, /\netl_daily +200 [\s\S]*\nother +1 /],
      ['dagain stats --window 1h', 0, /201 failed[\s\S]*\netl_daily +load +200\n/],
      [
        'dagain events --type failed --since 1h --limit 20',
        0,
        /(?:\n.* failed +(?:etl_daily|other) .*){20}\nThere are more/,
      ],
      [metric('^dagain_records{phase="waiting"}'), 0, / 201\n$/],
      ['dagain dags pause "$DAG" --comment "until the warehouse is back"', 0, /^etl_daily: paused by ada\n$/],
      ['dagain dags resume --all', 0, /^everything: not paused\n$/],
      [
        'dagain runs cancel --dag "$DAG" --phase waiting --comment "superseded" --dry-run',
        0,
        /cancel would change 200 runs of 200:/,
      ],
      ['dagain dags resume "$DAG"', 0, /^etl_daily: not paused\n$/],
      ['dagain status', 0, /^(?![\s\S]*\npaused )/],
      ['dagain stats --window 1h', 0, /, 0 held, 0 paused, /],
    ],
  },
];
