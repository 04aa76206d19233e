/** What a panel shows; `$sel` in a query stands for the chosen namespace, job and instance. */
export interface PanelSpec {
  readonly title: string;
  readonly about: string;
  readonly kind: 'stat' | 'timeseries';
  readonly unit: string;
  /** Of 24 columns. */
  readonly width: number;
  readonly queries: readonly (readonly [expr: string, legend: string])[];
  /** From which value on a stat is green, orange or red; the first colour holds from the lowest value on. */
  readonly colours?: readonly (readonly [from: number | null, colour: string])[];
  /** What a stat writes in place of its value: the name of the series. */
  readonly showsName?: boolean;
  readonly isStacked?: boolean;
}

export interface RowSpec {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

const GOOD_IF_NONE = [
  [null, 'green'],
  [1, 'red'],
] as const;
const BAD_IF_NONE = [
  [null, 'red'],
  [1, 'green'],
] as const;

type Rest = Partial<Pick<PanelSpec, 'unit' | 'width' | 'colours' | 'showsName' | 'isStacked'>>;

function stat(title: string, about: string, expr: string, rest: Rest = {}, legend = ''): PanelSpec {
  return { title, about, kind: 'stat', unit: 'short', width: 4, queries: [[expr, legend]], ...rest };
}

function graph(title: string, about: string, queries: PanelSpec['queries'], rest: Rest = {}): PanelSpec {
  return { title, about, kind: 'timeseries', unit: 'short', width: 8, queries, ...rest };
}

const increase = (metric: string, by: string, more = '') =>
  `sum by (${by}) (increase(${metric}{$sel${more}}[$__rate_interval]))`;
const rate = (metric: string, by: string, more = '') =>
  `sum by (${by}) (rate(${metric}{$sel${more}}[$__rate_interval]))`;
const quantile = (q: number, metric: string, by: string) =>
  `histogram_quantile(${q}, sum by (${by}) (rate(${metric}_bucket{$sel}[$__rate_interval])))`;
const inRange = (metric: string, more = '') => `sum(increase(${metric}{$sel${more}}[$__range]))`;

const OPEN = 'phase!~"giving_up|gave_up"';

export const ROWS: readonly RowSpec[] = [
  {
    title: 'Overview',
    panels: [
      stat(
        'Open runs',
        'Runs that are being retried; the same at each replica.',
        `sum(max by (phase) (dagain_records{$sel,${OPEN}}))`,
      ),
      stat('Retries', 'In the chosen time.', inRange('dagain_retries_total')),
      stat(
        'Recovered runs',
        'Runs that a retry helped, in the chosen time.',
        inRange('dagain_runs_ended_total', ',how="recovered"'),
      ),
      stat(
        'Given-up runs',
        'In the chosen time; each is alerted for.',
        inRange('dagain_runs_ended_total', ',how="gave_up"'),
        {
          colours: [
            [null, 'green'],
            [1, 'orange'],
            [10, 'red'],
          ],
        },
      ),
      stat(
        'Firing alerts',
        'Of the rules in deploy/monitoring/prometheus.',
        'count(ALERTS{alertname=~"Dagain.*",alertstate="firing"}) or vector(0)',
        {
          colours: GOOD_IF_NONE,
        },
      ),
      stat(
        'Unsent alerts',
        'Alerts that their channel has not accepted yet.',
        'sum(max by (channel) (dagain_pending_alerts{$sel})) or vector(0)',
        {
          colours: GOOD_IF_NONE,
        },
      ),
      stat(
        'Airflow',
        'How Airflow answers a request with our credentials.',
        'max by (status) (dagain_orchestrator_status{$sel}) == 1',
        { showsName: true },
        '{{status}}',
      ),
      stat('Store', 'Replicas that reach their store.', 'sum(dagain_store_up{$sel})', { colours: BAD_IF_NONE }),
      stat(
        'Policy',
        '1: the policy file that is there is in force; 0: it was refused.',
        'min(dagain_policy_last_reload_successful{$sel})',
        {
          colours: BAD_IF_NONE,
        },
      ),
      stat(
        'Mode',
        'In shadow mode nothing is cleared.',
        'max by (mode, store) (dagain_service_info{$sel})',
        { showsName: true },
        '{{mode}}, {{store}}',
      ),
      stat(
        'Version',
        'What runs here; two while it is rolled out.',
        'count by (version) (dagain_build_info{$sel})',
        { showsName: true },
        '{{version}}',
      ),
      stat('Replicas', 'Replicas that Prometheus reaches.', 'count(dagain_build_info{$sel})', { colours: BAD_IF_NONE }),
    ],
  },
  {
    title: 'Retries',
    panels: [
      graph(
        'Callbacks',
        'What senders were answered.',
        [[increase('dagain_callbacks_total', 'decision'), '{{decision}}']],
        { isStacked: true },
      ),
      graph(
        'Failed attempts',
        'Attempts that were found failed and wait for a retry.',
        [[increase('dagain_failed_attempts_total', 'failure_class'), '{{failure_class}}']],
        { isStacked: true },
      ),
      graph(
        'Retries',
        'Retries spent; in shadow mode those that would have been.',
        [[increase('dagain_retries_total', 'failure_class'), '{{failure_class}}']],
        { isStacked: true },
      ),
      graph(
        'Ends',
        'How retries ended; `ended`: without their help.',
        [[increase('dagain_runs_ended_total', 'how'), '{{how}}']],
        { isStacked: true },
      ),
      graph(
        'Given up, by reason',
        'Why runs were given up.',
        [[increase('dagain_runs_ended_total', 'reason', ',how="gave_up"'), '{{reason}}']],
        { isStacked: true },
      ),
      graph('Attempts until recovery', 'Of the runs that recovered in the chosen time.', [
        ['histogram_quantile(0.5, sum by (le) (rate(dagain_recovered_run_attempts_bucket{$sel}[$__range])))', 'median'],
        ['histogram_quantile(0.9, sum by (le) (rate(dagain_recovered_run_attempts_bucket{$sel}[$__range])))', '90 %'],
      ]),
      graph(
        'Records by phase',
        'What the store holds; the same at each replica.',
        [['max by (phase) (dagain_records{$sel})', '{{phase}}']],
        { isStacked: true },
      ),
      graph(
        'Held and due',
        'Runs that an operator has paused; runs due and not taken; pauses of Dags and of everything.',
        [
          ['max(dagain_held_records{$sel})', 'held'],
          ['max(dagain_due_records{$sel})', 'due'],
          ['max by (scope) (dagain_pauses{$sel})', 'paused: {{scope}}'],
        ],
      ),
      graph('People', "Operators' actions, and runs that somebody else restarted.", [
        [increase('dagain_operations_total', 'action, decision'), '{{action}}: {{decision}}'],
        ['sum(increase(dagain_restarts_by_people_total{$sel}[$__rate_interval]))', 'restarted in Airflow'],
      ]),
    ],
  },
  {
    title: 'Airflow',
    panels: [
      graph('Status', 'How Airflow answers a request with our credentials: 1 for what holds.', [
        ['max by (status) (dagain_orchestrator_status{$sel})', '{{status}}'],
      ]),
      graph(
        'Calls',
        'Calls a second.',
        [[rate('dagain_orchestrator_call_duration_seconds_count', 'operation'), '{{operation}}']],
        { unit: 'reqps' },
      ),
      graph(
        'Calls without a usable answer',
        'Calls a second, by what was wrong.',
        [[rate('dagain_orchestrator_call_duration_seconds_count', 'result', ',result!="ok"'), '{{result}}']],
        { unit: 'reqps' },
      ),
      graph(
        'Duration',
        '95 % of the calls take no longer.',
        [[quantile(0.95, 'dagain_orchestrator_call_duration_seconds', 'le, operation'), '{{operation}}']],
        { unit: 's' },
      ),
      graph(
        'Clears',
        'Clear requests, by what became of them.',
        [[increase('dagain_clears_total', 'outcome'), '{{outcome}}']],
        { isStacked: true },
      ),
      graph(
        'Looks',
        'Looks at runs, by what they showed.',
        [[increase('dagain_looks_total', 'result, reason'), '{{result}}: {{reason}}']],
        { isStacked: true },
      ),
      graph('Watch mode', 'Searches for failed runs, and what became of those that no callback told of.', [
        [increase('dagain_watch_searches_total', 'result'), 'search: {{result}}'],
        [increase('dagain_watch_found_runs_total', 'result'), 'run: {{result}}'],
      ]),
      graph('Notes', "Lines written into runs' notes, or not.", [
        [increase('dagain_notes_total', 'result'), '{{result}}'],
      ]),
      graph('Steps', 'Work on records, by its reason.', [[increase('dagain_steps_total', 'reason'), '{{reason}}']], {
        isStacked: true,
      }),
    ],
  },
  {
    title: 'Alerts',
    panels: [
      graph('Sends', 'Alerts sent, by what the channel said.', [
        [increase('dagain_alert_sends_total', 'channel, result'), '{{channel}}: {{result}}'],
      ]),
      graph('Unsent', 'Alerts that their channel has not accepted yet.', [
        ['max by (channel) (dagain_pending_alerts{$sel})', '{{channel}}'],
      ]),
      graph(
        'Age of the oldest unsent alert',
        'More than some minutes: nobody is told.',
        [['time() - min(dagain_oldest_pending_alert_timestamp_seconds{$sel})', 'oldest']],
        { unit: 's' },
      ),
    ],
  },
  {
    title: 'Store',
    panels: [
      graph(
        'Calls',
        'Calls a second.',
        [[rate('dagain_store_call_duration_seconds_count', 'operation'), '{{operation}}']],
        { unit: 'ops' },
      ),
      graph(
        'Duration',
        '95 % of the calls take no longer.',
        [[quantile(0.95, 'dagain_store_call_duration_seconds', 'le, operation'), '{{operation}}']],
        { unit: 's' },
      ),
      graph(
        'Results',
        'Calls a second, by what became of them.',
        [[rate('dagain_store_call_duration_seconds_count', 'result'), '{{result}}']],
        { unit: 'ops' },
      ),
      graph(
        'Swap conflicts',
        'Swaps a second that somebody else won.',
        [['sum(rate(dagain_swap_conflicts_total{$sel}[$__rate_interval]))', 'conflicts']],
        { unit: 'ops' },
      ),
      graph('Losses', 'Times that the store was found to have lost data.', [
        [increase('dagain_store_losses_total', 'how'), '{{how}}'],
      ]),
      graph('Reachable', 'For each replica.', [['dagain_store_up{$sel}', '{{instance}}']]),
    ],
  },
  {
    title: 'Service',
    panels: [
      graph(
        'Requests',
        'A second, by route and status.',
        [
          [
            rate('dagain_http_request_duration_seconds_count', 'method, route, status'),
            '{{method}} {{route}}: {{status}}',
          ],
        ],
        { unit: 'reqps' },
      ),
      graph(
        'Duration of answers',
        '95 % of the requests take no longer.',
        [[quantile(0.95, 'dagain_http_request_duration_seconds', 'le, route'), '{{route}}']],
        { unit: 's' },
      ),
      graph(
        'Lag',
        'How long after its due time work begins.',
        [
          [quantile(0.5, 'dagain_due_lag_seconds', 'le'), 'median'],
          [quantile(0.9, 'dagain_due_lag_seconds', 'le'), '90 %'],
          [quantile(0.99, 'dagain_due_lag_seconds', 'le'), '99 %'],
        ],
        { unit: 's' },
      ),
      graph('Failed work and policy reloads', 'Work that ended in an error; policy files taken or refused.', [
        ['sum(increase(dagain_work_failures_total{$sel}[$__rate_interval]))', 'work failed'],
        [increase('dagain_policy_reloads_total', 'result'), 'policy {{result}}'],
      ]),
      graph('Processor', 'Cores in use.', [
        ['rate(process_cpu_seconds_total{$sel}[$__rate_interval])', '{{instance}}'],
      ]),
      graph('Memory', 'Resident.', [['process_resident_memory_bytes{$sel}', '{{instance}}']], { unit: 'bytes' }),
      graph(
        'Event loop',
        'How late timers are, at the 99th percentile.',
        [['nodejs_eventloop_lag_p99_seconds{$sel}', '{{instance}}']],
        { unit: 's' },
      ),
    ],
  },
];
