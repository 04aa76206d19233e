import { TASK_FAILED } from './serve.ts';

const NOT_STRINGS = [1, true, [], {}];
const NOT_INTS = ['1', 1.5, true, [], {}, -2, 1e300, 2 ** 53];
const NOT_OBJECTS = ['text', 1, true, [1]];
const NOT_TIMES = [
  '',
  'yesterday',
  '2026-01-01',
  '2026-01-01T00:00:00',
  '2026-01-01T00:00:00.123456',
  '2026-01-01T00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T23:59:60Z',
  '2026-01-01T00:00:00+0000',
  '+12026-01-01T00:00:00Z',
  `2026-01-01T00:00:00.${'0'.repeat(100)}Z`,
  1_767_225_600,
  true,
  {},
];
const NOT_IDS = [
  '',
  ' ',
  '.',
  '..',
  '~',
  '../etc',
  '__proto__',
  'constructor',
  'prototype',
  'a/b',
  'a\\b',
  'a?b',
  'a#b',
  'a%2Fb',
  ' a',
  'a ',
  'a\u0000b',
  'a\r\nb',
  'a\u007fb',
  'a\u2028b',
  '\ud800',
  'a\udc00',
  'x'.repeat(251),
  'x'.repeat(100_000),
  null,
  ...NOT_STRINGS,
];
const NOT_DURATIONS = ['', 'soon', '-1s', '1 fortnight', '1e3', 'NaN', '1'.repeat(400), -1, true, null, [], {}];

/** Values that a field of a failed task must not have, under the path that the answer names. */
export const BAD_FIELDS: readonly (readonly [path: string, values: readonly unknown[]])[] = [
  ['dag_id', NOT_IDS],
  ['dag_run_id', NOT_IDS.filter((id) => id !== null)],
  ['run_id', ['', 'a/b', 'another_run', 1, []]],
  ['task_id', ['', '..', 'a/b', 'x'.repeat(251), null, ...NOT_STRINGS]],
  ['map_index', NOT_INTS],
  ['try_number', [...NOT_INTS, -1]],
  ['max_tries', NOT_INTS],
  ['task_instance_id', ['', 'x'.repeat(251), 'a\ud800', ...NOT_STRINGS]],
  ['operator', NOT_STRINGS],
  ['exception', NOT_OBJECTS],
  ['exception.type', NOT_STRINGS],
  ['exception.message', NOT_STRINGS],
  ['failed_at', NOT_TIMES],
  ['log_url', NOT_STRINGS],
  ['dag_run', NOT_OBJECTS],
  ['dag_run.start_date', NOT_TIMES.slice(1, 5)],
  ['dag_run.clear_number', ['1', 1.5, -1]],
  ['dag_run.run_type', NOT_STRINGS],
  ['failure_class', ['', 'task', 'INFRA', 1, [], 'constructor']],
  ['retry', NOT_OBJECTS],
  ['retry.delay', NOT_DURATIONS],
  ['retry.max_delay', ['soon']],
  ['retry.settle_timeout', ['soon']],
  ['retry.max_duration', ['soon']],
  ['retry.max_retries', ['2', 1.5, -1, 1_001, null]],
  ['retry.retries', ['2', -1, [], [1], [1, 'soon'], [1, 2, 3, 4]]],
  ['retry.backoff', ['quadratic', 1]],
  ['retry.jitter', ['some']],
  ['retry.strategy', ['none']],
  ['retry.gate', ['open']],
  ['retry.on_settle_timeout', ['wait']],
  ['retry.retry_on', ['infra', {}]],
  ['retry.retry_on.1', [[['infra', 'nothing'], null]]],
  ['retry.max_retries_by_class', [[], 1]],
  ['retry.max_retries_by_class.infra', [-1, '5']],
  ['retry.max_retries_by_class.nothing', [1]],
  ['retry.only_tasks', ['a', Array.from({ length: 101 }, () => 'a')]],
  [
    'retry.never_on.0',
    [
      [['x'.repeat(251)], null],
      [[''], null],
    ],
  ],
  ['retry.manual_runs', ['yes']],
  ['retry.run_on_latest_version', ['true', 1]],
  ['retry.alerts', ['never']],
  ['retry.max_retry', [3]],
  ['retry.limits', [{}]],
  ['retry.constructor', [1]],
];

/** Sets the value at a dotted path; a pair of a value and null replaces what the path's parent holds. */
export function withField(path: string, value: unknown): object {
  const [name = '', ...rest] = path.split('.');
  if (rest.length === 0) return { ...TASK_FAILED, [name]: value };
  const parent = rest.slice(0, -1).reverse();
  const isWhole = Array.isArray(value) && value.length === 2 && value[1] === null;
  const innermost = isWhole ? value[0] : { [rest.at(-1) ?? '']: value };
  return { ...TASK_FAILED, [name]: parent.reduce<unknown>((inner, key) => ({ [key]: inner }), innermost) };
}
