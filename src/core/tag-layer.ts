import { nearest } from './nearest.ts';
import { PolicyLayer } from './policy-layer.ts';

const PREFIX = 'dagain/';
const LISTS = new Set(['retry_on', 'only_tasks', 'ignore_tasks', 'ignore_operators', 'never_on', 'alert_channels']);
const NUMBERS = new Set(['max_retries']);

/** A tag that was meant for us and says nothing we can use. */
export interface TagProblem {
  readonly tag: string;
  readonly message: string;
}

/**
 * Reads a Dag's tags of the form `dagain/<key>=<value>`: the keys of the policy file, lists separated by commas
 * (`dagain/never_on=ValueError,KeyError`), the short form too (`dagain/retries=5,300,600`), and caps per class as
 * `dagain/max_retries_by_class=infra:5,timeout:1`. Other tags are none of our business; what does not parse is
 * reported, never fatal.
 */
export function readTags(tags: readonly string[]): {
  readonly layer: PolicyLayer;
  readonly problems: readonly TagProblem[];
} {
  const problems: TagProblem[] = [];
  let layer: PolicyLayer = {};
  for (const tag of tags.filter((one) => one.startsWith(PREFIX))) {
    const read = readTag(tag.slice(PREFIX.length));
    if (typeof read === 'string') problems.push({ tag, message: read });
    else layer = { ...layer, ...read };
  }
  return { layer, problems };
}

/** The layer of one tag, or what is wrong with it. */
function readTag(text: string): PolicyLayer | string {
  const equals = text.indexOf('=');
  if (equals < 0) return 'must be of the form dagain/<key>=<value>';
  const [key, value] = [text.slice(0, equals).trim(), text.slice(equals + 1).trim()];
  const keys = Object.keys(PolicyLayer.shape);
  if (!keys.includes(key)) return `"${key}" is not a policy key; the nearest is "${nearest(key, keys)}"`;
  const parsed = PolicyLayer.safeParse({ [key]: toValue(key, value) });
  return parsed.success ? parsed.data : parsed.error.issues.map((issue) => issue.message).join('; ');
}

function toValue(key: string, value: string): unknown {
  if (LISTS.has(key)) return splitList(value);
  if (NUMBERS.has(key)) return toNumber(value);
  if (key === 'retries') return shortForm(splitList(value));
  if (key === 'run_on_latest_version') return value === 'true' ? true : value === 'false' ? false : value;
  if (key === 'max_retries_by_class') return Object.fromEntries(splitList(value).map(toPair));
  return value;
}

function splitList(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function shortForm([count = '', ...durations]: readonly string[]): unknown {
  return durations.length === 0 ? toNumber(count) : [toNumber(count), ...durations];
}

function toPair(text: string): [string, unknown] {
  const [name = '', count = ''] = text.split(':');
  return [name.trim(), toNumber(count.trim())];
}

/** Text that is no number stays text, so that the schema says what is wrong with it. */
function toNumber(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}
