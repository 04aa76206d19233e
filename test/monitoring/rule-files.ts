import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ROOT } from '../docs/generated.ts';

export const RULES = join(ROOT, 'deploy/monitoring/prometheus');

const Recording = z.strictObject({ record: z.string(), expr: z.string() });
export const Alert = z.strictObject({
  alert: z.string().regex(/^Dagain[A-Za-z]+$/),
  expr: z.string(),
  for: z.string().regex(/^\d+m$/),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
  annotations: z.strictObject({
    summary: z.string().regex(/\.$/),
    description: z.string().regex(/\.$|why\.$/),
    runbook_url: z.string().regex(/^[a-z-]+\.md(#[a-z-]+)?$/),
  }),
});
export type Alert = z.infer<typeof Alert>;

const RuleFile = z.strictObject({
  groups: z.array(
    z.strictObject({ name: z.string(), interval: z.string().optional(), rules: z.array(z.union([Recording, Alert])) }),
  ),
});

const TestFile = z.looseObject({
  tests: z.array(
    z.looseObject({
      alert_rule_test: z.array(z.looseObject({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })),
    }),
  ),
});

export function readRules(name: 'recording' | 'alerts') {
  const text = readFileSync(join(RULES, `${name}.yaml`), 'utf8');
  return { text, rules: RuleFile.parse(parse(text)).groups.flatMap((group) => group.rules) };
}

export function readAlerts(): Alert[] {
  return readRules('alerts').rules.filter((rule): rule is Alert => 'alert' in rule);
}

/** How often each alert is tested to fire, and to be silent. */
export function testedAlerts(): Map<string, { fires: number; isSilent: number }> {
  const { tests } = TestFile.parse(parse(readFileSync(join(RULES, 'tests/alerts.test.yaml'), 'utf8')));
  const tested = new Map<string, { fires: number; isSilent: number }>();
  for (const { alertname, exp_alerts: expected } of tests.flatMap((one) => one.alert_rule_test)) {
    const known = tested.get(alertname) ?? { fires: 0, isSilent: 0 };
    known[expected.length > 0 ? 'fires' : 'isSilent'] += 1;
    tested.set(alertname, known);
  }
  return tested;
}

/** The names of metrics in a query. */
export function metricsIn(expr: string): string[] {
  return [...new Set([...expr.matchAll(/\b(?:[a-z_]+:)?dagain_[a-z_]+(?::[a-z0-9_]+)?/g)].map((match) => match[0]))];
}

/** Windows and waits of minutes as seconds, so that a test need not wait for them; hours as twenty seconds each. */
export function shortened(text: string): string {
  return text
    .replace(/interval: 30s/, 'interval: 500ms')
    .replace(/\[1d\] offset 10m/g, '[30s] offset 5s')
    .replace(/\[(\d+)m\]/g, '[$1s]')
    .replace(/\[1h\]/g, '[20s]')
    .replace(/for: (\d+)m/g, 'for: $1s');
}
