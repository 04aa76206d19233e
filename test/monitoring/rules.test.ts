import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { METRICS } from '../../src/http/metrics/catalogue.ts';
import { dashboard } from '../docs/dashboard/dashboard.ts';
import { ROOT } from '../docs/generated.ts';
import { metricsIn, readAlerts, readRules, testedAlerts } from './rule-files.ts';

const SERIES: ReadonlySet<string> = new Set(
  Object.values(METRICS).flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
  ),
);
const RECORDED = readRules('recording').rules.flatMap((rule) => ('record' in rule ? [rule.record] : []));
const ALERTS = readAlerts();

describe('names of metrics', () => {
  test.each(Object.values(METRICS).map((metric) => [metric.name, metric] as const))('%s', (name, metric) => {
    expect(name).toMatch(/^dagain_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total')).toBe(metric.type === 'counter');
    expect(name).not.toMatch(/_(ms|milliseconds|minutes|kb|percent)(_|$)/);
    expect(metric.help).toMatch(/^[A-Z].*\.$/);
    expect((metric.buckets?.length ?? 0) > 0).toBe(metric.type === 'histogram');
  });
});

describe('every alert', () => {
  test.each(ALERTS.map((alert) => [alert.alert, alert] as const))('%s', (name, { annotations }) => {
    const { fires = 0, isSilent = 0 } = testedAlerts().get(name) ?? {};
    expect({ fires: fires > 0, isSilent: isSilent > 0 }).toEqual({ fires: true, isSilent: true });
    // Somebody who is woken has to be told how bad it is, or of which service.
    expect(annotations.description).toMatch(/\{\{|No replica/);
  });

  test('and every test is of an alert that there is', () => {
    expect([...testedAlerts().keys()].sort()).toEqual(ALERTS.map(({ alert }) => alert).sort());
  });
});

describe('queries use only metrics that there are', () => {
  const known = (name: string) => SERIES.has(name) || RECORDED.includes(name);
  test.each([...readRules('recording').rules, ...readRules('alerts').rules].map((rule) => [rule.expr]))(
    '%s',
    (expr) => {
      expect(metricsIn(expr).filter((name) => !known(name))).toEqual([]);
      expect(expr === 'up{job="dagain"} == 0' || metricsIn(expr).length > 0).toBe(true);
    },
  );

  test('on the dashboard too, and every metric is on it', () => {
    const text = JSON.stringify(dashboard());
    const used = metricsIn(text.replaceAll('\\"', '"'));
    expect(used.filter((name) => !known(name))).toEqual([]);
    const shown = (name: string) =>
      used.some((one) => one === name || one.replace(/_(bucket|count|sum)$/, '') === name);
    expect(
      Object.values(METRICS)
        .map(({ name }) => name)
        .filter((name) => !shown(name)),
    ).toEqual([]);
  });
});

test('the dashboard has no two panels in one place, and every panel says what it shows', () => {
  const taken = new Set<string>();
  for (const one of dashboard().panels) {
    const { id, gridPos, type, description } = Object(one);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(taken.has(`${x}/${y}`), `panel ${id}`).toBe(false);
        taken.add(`${x}/${y}`);
      }
    }
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    if (type !== 'row') expect(description).toMatch(/\.$/);
  }
});

test('the scrape configuration of the README is that of the rules', () => {
  const readme = readFileSync(join(ROOT, 'deploy/monitoring/README.md'), 'utf8');
  expect(readme).toContain('job_name: dagain');
  expect(readRules('alerts').text).toContain('up{job="dagain"}');
});
