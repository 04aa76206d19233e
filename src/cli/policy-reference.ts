import { z } from 'zod';
import { CLASS_RULES, type ClassRule } from '../core/classify.ts';
import { formatDurationMs, MAX_DURATION_MS } from '../core/duration.ts';
import { BUILT_IN_POLICY } from '../core/policy.ts';
import { PolicyLayer, PolicyLimits } from '../core/policy-layer.ts';
import { POLICY_KEYS, type PolicyKey, resolvePolicy, writtenValue } from '../core/resolve-policy.ts';

/** The policy's reference page in Markdown, made from the schemas and tables that the service itself uses. */
export function policyReference(): string {
  return `${[INTRODUCTION, keysTable(), AFTER_KEYS, limitsTable(), classTable(), PRECEDENCE].join('\n\n')}\n`;
}

const INTRODUCTION = `# Retry policy

<!-- Made by \`npm run docs\`; a test holds it against the code. -->

The policy file (\`DAGAIN_POLICY_FILE\`) is YAML:

\`\`\`yaml
# yaml-language-server: $schema=policy.schema.json
defaults:
  max_retries: 2
  delay: 60s
dags:
  - match: "etl_*"
    retries: [5, 300, 600]
  - match: "*_report"
    max_retries: 1
    only_tasks: ["publish_*"]
limits:
  max_retries: 10
  max_delay: 24h
\`\`\`

Durations are \`500ms\`, \`30s\`, \`5m\`, \`2h\`, \`1d\` or a number of seconds. Globs know \`*\` and \`?\`; case matters. The file is
read again when it changes or on SIGHUP: a valid one is swapped in as a whole, an invalid one is refused, said so in the
log, and the old one stays. \`dagain policy check FILE\` names everything that is wrong with a file,
\`dagain policy explain DAG_ID\` shows what is in force for a Dag and where each value comes from.

## Keys

The same under \`defaults\`, in each entry of \`dags\`, in Dag tags, and in a callback's \`retry\`.`;

function keysTable(): string {
  const schema = z.toJSONSchema(PolicyLayer, { io: 'input', unrepresentable: 'any' });
  const properties = (schema.properties ?? {}) as Record<string, Property>;
  const rows = Object.entries(properties).map(([key, property]) => {
    const known = POLICY_KEYS.find((one) => one === key);
    const fallback = known === undefined ? '' : describeBuiltIn(known);
    return `| \`${key}\` | ${describeValues(key, property)} | ${fallback} | ${property.description ?? ''} |`;
  });
  return ['| key | values | built-in | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function describeBuiltIn(key: PolicyKey): string {
  // The built-in policy has none, and is given those that are configured.
  if (key === 'alert_channels') return 'all configured';
  return `\`${JSON.stringify(writtenValue(BUILT_IN_POLICY, key)).replaceAll('"', '')}\``;
}

interface Property {
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly type?: string;
  readonly items?: Property;
}

const DURATION_KEYS = new Set(['delay', 'max_delay', 'settle_timeout', 'max_duration']);

function describeValues(key: string, property: Property): string {
  if (key === 'retries') return 'short form';
  if (key === 'max_retries_by_class') return 'class: number';
  if (key === 'max_retries') return 'number, `unlimited`';
  if (DURATION_KEYS.has(key)) return 'duration';
  const values = property.enum ?? property.items?.enum;
  const isList = property.type === 'array';
  if (values !== undefined) return `${isList ? 'list of ' : ''}${values.map((value) => `\`${value}\``).join(', ')}`;
  if (isList) return 'list of globs';
  return property.type === 'boolean' ? '`true`, `false`' : (property.type ?? '');
}

const AFTER_KEYS = `## Delays

The delay before retry n (1 for the first) counts from the end of the failed attempt; with \`d\` for \`delay\`:

| backoff | delay |
|---|---|
| \`none\` | d |
| \`linear\` | n * d |
| \`exponential\` | (2^n - 1) * d |
| \`ramp\` | delay + (n - 1) / max(N - 1, 1) * (max_delay - delay), N being the cap |
| \`uniform\` | anywhere between delay and max_delay |

| jitter | makes of a delay c |
|---|---|
| \`none\` | c |
| \`full\` | r * c |
| \`plus_minus\` | c + 2 * r * d - d, never below 0 |
| \`spread\` | c * (1 + 0.2 * r): never earlier |

r lies in [0, 1) and is a pure function of run and retry: every replica computes the same. Nothing is longer than
\`max_delay\`. A \`delay\` longer than the \`max_delay\` of a lower layer raises it.

Short forms: \`retries: N\` is \`max_retries: N\`; \`[N, delay]\` also sets a fixed delay; \`[N, min, max]\` a ramp;
\`[unlimited, min, max]\` a uniform draw. All but the first are without jitter. Explicit keys of the same layer win.

## Limits`;

function limitsTable(): string {
  // What the boldest layer is cut to where nobody sets a limit.
  const { policy } = resolvePolicy([{ source: 'any', layer: { max_delay: MAX_DURATION_MS } }], {}, []);
  const row = (key: keyof PolicyLimits, builtIn: string) =>
    `| \`${key}\` | \`${builtIn}\` | ${PolicyLimits.shape[key].unwrap().description ?? ''} |`;
  const rows = [
    row('max_retries', String(policy.maxRetriesLimit)),
    row('max_delay', formatDurationMs(policy.maxDelayMs)),
  ];
  const note =
    'What a layer asks for beyond them is cut to them; the answer to a callback then says `override_clamped`.';
  return `${note}\n\n${['| key | built-in | meaning |', '|---|---|---|', ...rows].join('\n')}`;
}

function classTable(): string {
  const rows = CLASS_RULES.map(
    (rule, index) => `| ${index + 1} | ${rule.when} | ${describeSigns(rule)} | \`${rule.failureClass}\` |`,
  );
  return `## Failure classes

The first row that matches decides. A class that the callback names itself wins over all of them; what matches none is a
\`task_error\`. Types match by their dotted name or its last part; messages (without regard to case) count only where Airflow
names no exception. An attempt whose tasks failed in different classes counts as \`task_error\`, else \`timeout\`, else
\`deadlock\`, else \`infra\`. Of a run that was reported once, a later failure without a callback counts
as \`infra\`. A run that only watch mode has found counts as \`task_error\`, or as \`infra\` where Airflow's audit log shows
that a task's process was lost.

| | what happened | known by | class |
|---|---|---|---|
${rows.join('\n')}`;
}

function describeSigns(rule: ClassRule): string {
  const quoted = (values: readonly string[] = []) => values.map((value) => `\`${value}\``).join(', ');
  if (rule.runReasons !== undefined) return `reason ${quoted(rule.runReasons)}`;
  return rule.types === undefined ? `message ${quoted(rule.messages)}` : `type ${quoted(rule.types)}`;
}

const PRECEDENCE = `## Precedence

From low to high: built-in; the environment (\`DAGAIN_MAX_RETRIES\`, \`DAGAIN_RETRY_DELAY\`); the file's \`defaults\`; the
first entry of \`dags\` that matches; the Dag's tags; the callback's \`retry\`. Then the limits, which nothing passes. Each
key is looked up on its own: a layer changes only what it names.

Dag tags have the form \`dagain/<key>=<value>\`: \`dagain/max_retries=3\`, \`dagain/delay=5m\`, \`dagain/retries=5,300,600\`,
\`dagain/never_on=ValueError,KeyError\`, \`dagain/max_retries_by_class=infra:5,timeout:1\`. They are read from Airflow and
remembered for five minutes. A tag that does not parse is logged and shown by \`policy explain\`; the others count. While
Airflow is out, the tags last read count, and nothing is decided on a Dag of which none were read yet. A Dag that Airflow
does not know, or does not let the service read, counts as having none.

A changed policy holds for the next decision on every run, those that wait included: a cap that was lowered below what a
run has used ends its retries with an alert.`;
