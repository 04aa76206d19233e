import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Labels, Metric } from './catalogue.ts';

type NameOf<L extends Labels> = Extract<keyof L, string>;

/** A counter whose series exist from the start where its one label has known values: alerts miss no first event. */
export function createCounter<L extends Labels>(registry: Registry, metric: Metric<L>): Counter<NameOf<L>> {
  const counter = new Counter<string>(optionsOf(registry, metric));
  for (const labels of knownSeries(metric)) counter.inc(labels, 0);
  return counter;
}

export function createGauge<L extends Labels>(
  registry: Registry,
  metric: Metric<L>,
  collect?: (gauge: Gauge<string>) => Promise<void>,
): Gauge<NameOf<L>> {
  const read = collect === undefined ? {} : { collect: () => collect(gauge) };
  const gauge: Gauge<string> = new Gauge<string>({ ...optionsOf(registry, metric), ...read });
  return gauge;
}

export function createHistogram<L extends Labels>(registry: Registry, metric: Metric<L>): Histogram<NameOf<L>> {
  return new Histogram<string>({ ...optionsOf(registry, metric), buckets: [...(metric.buckets ?? [])] });
}

function optionsOf(registry: Registry, { name, help, labels }: Metric) {
  return { name, help, labelNames: Object.keys(labels), registers: [registry] };
}

/** Of a metric with one label; with more there are too many that never come. */
export function knownSeries({ labels }: Metric): Record<string, string>[] {
  const [[name, values] = ['', ''], ...others] = Object.entries(labels);
  return typeof values === 'string' || others.length > 0 ? [] : values.map((value) => ({ [name]: value }));
}
