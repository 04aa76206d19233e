/** One option of another system, its name here, and the test that proves it: file and a part of its title. */
export interface PriorArt {
  readonly system: 'Airflow recipe' | 'Dagster' | 'Coflux' | 'DolphinScheduler';
  readonly theirs: string;
  readonly ours: string;
  readonly proof: readonly [file: string, title: string];
}

const POLICY = 'test/core/resolve-policy.test.ts';
const BACKOFF = 'test/core/backoff.test.ts';
const JUDGEMENT = 'test/core/judgement.test.ts';

export const PRIOR_ART: readonly PriorArt[] = [];

export function priorArtTable(): string {
  const rows = PRIOR_ART.map(
    ({ system, theirs, ours, proof: [file, title] }) => `| ${system} | ${theirs} | ${ours} | [${title}](${file}) |`,
  );
  return ['| system | there | here | proved by |', '|---|---|---|---|', ...rows].join('\n');
}

export { BACKOFF, JUDGEMENT, POLICY };
