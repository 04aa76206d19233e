import { type Behaviour, type DagDefinition, fail, killed, succeed } from '../airflow/model/dag-definition.ts';

/** What must have become of a Dag's run at the end. */
export interface Expectation {
  readonly state: 'success' | 'failed';
  readonly clears: number;
  readonly alerts: number;
}

export interface DemoDag extends DagDefinition {
  readonly story: string;
  readonly expected: Expectation;
}

const QUICK_MS = 300;
const reset = (): Behaviour =>
  fail({ durationMs: QUICK_MS, type: 'ConnectionError', message: 'connection reset by peer' });

/** Each shows one thing that the plain recipe gets wrong, or cannot do. */
export const DEMO_DAGS: readonly DemoDag[] = [
  {
    dagId: 'nightly_load',
    story: 'fails twice, then works: two clears, and the count is gone',
    expected: { state: 'success', clears: 2, alerts: 0 },
    tasks: [
      { taskId: 'extract', script: [succeed(QUICK_MS)] },
      { taskId: 'load', upstream: ['extract'], script: [reset(), reset(), succeed(QUICK_MS)] },
    ],
  },
  {
    dagId: 'partner_feed',
    story: 'fails for ever: two retries, then an alert, then nothing more',
    expected: { state: 'failed', clears: 2, alerts: 1 },
    tasks: [
      { taskId: 'download', script: [fail({ durationMs: QUICK_MS, type: 'HTTPError', message: '404 Not Found' })] },
    ],
  },
  {
    dagId: 'fan_out',
    story: 'eight tasks fail at the same time beside a slow one: one clear, after the run has failed',
    expected: { state: 'success', clears: 1, alerts: 0 },
    tasks: [
      ...Array.from({ length: 8 }, (_, index) => ({
        taskId: `shard_${index}`,
        script: [
          fail({ durationMs: 200 + 40 * index, type: 'TimeoutError', message: 'lock wait' }),
          succeed(QUICK_MS),
        ] as const,
      })),
      { taskId: 'slow_sibling', script: [succeed(2_000), succeed(QUICK_MS)] },
    ],
  },
  {
    dagId: 'killed_worker',
    story: "its retry's worker is killed and no callback ever comes: the sweep finds it",
    expected: { state: 'success', clears: 2, alerts: 0 },
    callbacks: { runFailed: false },
    tasks: [{ taskId: 'crunch', script: [reset(), killed(QUICK_MS), succeed(QUICK_MS)] }],
  },
  {
    dagId: 'tolerant_report',
    story: 'a task fails, but the run succeeds by its trigger rule: no retry is used',
    expected: { state: 'success', clears: 0, alerts: 0 },
    tasks: [
      { taskId: 'optional_part', script: [fail({ durationMs: QUICK_MS, type: 'KeyError', message: "'region'" })] },
      { taskId: 'publish', upstream: ['optional_part'], triggerRule: 'all_done', script: [succeed(QUICK_MS)] },
    ],
  },
  {
    dagId: 'bad_credentials',
    story: 'fails with an exception that must not be retried: an alert at once',
    expected: { state: 'failed', clears: 0, alerts: 1 },
    tasks: [
      {
        taskId: 'login',
        script: [
          fail({ durationMs: QUICK_MS, type: 'airflow.exceptions.AirflowFailException', message: 'wrong password' }),
        ],
      },
    ],
  },
];
