import { type Labels, METRICS } from '../../src/http/metrics/catalogue.ts';

/** Every metric of the service, as the code has it. */
export function metricsTable(): string {
  const rows = Object.values(METRICS).map(
    ({ name, type, help, labels }) => `| \`${name}\` | ${type} | ${describe(labels)} | ${help} |`,
  );
  return ['| name | type | labels | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function describe(labels: Labels): string {
  return Object.entries(labels)
    .map(
      ([name, values]) =>
        `\`${name}\`: ${typeof values === 'string' ? values : values.map((one) => `\`${one}\``).join(' ')}`,
    )
    .join('; ');
}
