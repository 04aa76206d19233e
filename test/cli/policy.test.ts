import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { POLICY_KEYS } from '../../src/core/resolve-policy.ts';
import { ROOT } from '../docs/generated.ts';
import { createAirflowModel } from '../support/airflow/model/model.ts';
import { type AirflowServer, serveAirflow } from '../support/airflow/serve.ts';
import { createRealTimers } from '../support/timers.ts';
import { dagain } from './run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileWith(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('policy check', () => {
  test('of a good file says so', async () => {
    expect(await dagain(['policy', 'check', 'deploy/policy/example.yaml'])).toEqual({
      code: 0,
      signal: null,
      out: 'deploy/policy/example.yaml: valid, 3 entries under dags\n',
      err: '',
    });
  });

  test('of a bad file names every problem with its line, its key and the nearest key, and ends with 1', async () => {
    const path = fileWith(
      'bad.yaml',
      [
        'defaults:',
        '  max_retry: 3',
        '  delay: soon',
        'dags:',
        '  - match: etl_*',
        '    only_task: [a]',
        'limit: {}',
      ].join('\n'),
    );
    const { code, out, err } = await dagain(['policy', 'check', path]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      [
        `${path}:2: defaults.max_retry is not a known key; the nearest is "max_retries"`,
        `${path}:3: defaults.delay must be a duration such as 500ms, 30s, 5m, 2h or a number of seconds, is "soon"`,
        `${path}:6: dags[0].only_task is not a known key; the nearest is "only_tasks"`,
        `${path}:7: limit is not a known key; the nearest is "limits"`,
        '',
      ].join('\n'),
    );
  });

  test('of text that is not YAML names the line', async () => {
    const path = fileWith('glob.yaml', 'dags:\n  - match: *_daily\n');
    const { code, err } = await dagain(['policy', 'check', path]);
    expect(code).toBe(1);
    expect(err).toBe(`${path}:2: *_daily is an alias of no anchor before it; as a glob it needs quotes: "*_daily"\n`);
  });

  test.each([
    ['is not there', () => join(folder, 'missing.yaml'), 'ENOENT'],
    ['is a folder', () => folder, 'EISDIR'],
  ])('of a file that %s says so in one line', async (_name, pathOf, code) => {
    const path = pathOf();
    const ran = await dagain(['policy', 'check', path]);
    expect([ran.code, ran.out]).toEqual([1, '']);
    expect(ran.err).toMatch(new RegExp(`^dagain: cannot read ${path}: ${code}.*\n$`));
  });

  test('needs no settings, and is not put off by wrong ones', async () => {
    const settings = { DAGAIN_PORT: 'x', DAGAIN_TYPO: '1' };
    expect((await dagain(['policy', 'check', 'deploy/policy/example.yaml'], settings)).code).toBe(0);
  });
});

describe('policy schema', () => {
  const Schema = z.looseObject({
    $schema: z.literal('https://json-schema.org/draft/2020-12/schema'),
    type: z.literal('object'),
    title: z.string(),
    additionalProperties: z.literal(false),
    properties: z.record(z.string(), z.looseObject({ description: z.string() })),
  });
  const Layer = z.looseObject({
    type: z.literal('object'),
    additionalProperties: z.literal(false),
    properties: z.record(z.string(), z.looseObject({ description: z.string() })),
  });

  test('is a JSON Schema of the file, the one that is committed', async () => {
    const { code, out, err } = await dagain(['policy', 'schema']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(readFileSync(join(ROOT, 'deploy/policy/policy.schema.json'), 'utf8'));
    const schema = Schema.parse(JSON.parse(out));
    expect(Object.keys(schema.properties)).toEqual(['defaults', 'dags', 'limits']);
    // All that it refers to is in it.
    const references = [...out.matchAll(/"\$ref": "#\/(?:\$defs|definitions)\/([^"]+)"/g)].map(
      ([, name]) => name ?? '',
    );
    const definitions = Object.keys(schema['$defs'] ?? {});
    expect(references.filter((name) => !definitions.includes(name))).toEqual([]);
  });

  test('describes every key where it may stand, and lets no other in', async () => {
    const schema = Schema.parse(JSON.parse((await dagain(['policy', 'schema'])).out));
    const keys = ['retries', ...POLICY_KEYS].toSorted();
    expect(Object.keys(Layer.parse(schema.properties['defaults']).properties).toSorted()).toEqual(keys);
    const entry = Layer.parse(z.looseObject({ items: z.unknown() }).parse(schema.properties['dags']).items);
    expect(Object.keys(entry.properties).toSorted()).toEqual(['match', ...keys].toSorted());
    expect(entry['required']).toEqual(['match']);
    expect(Object.keys(Layer.parse(schema.properties['limits']).properties)).toEqual(['max_retries', 'max_delay']);
  });
});

test('policy reference prints the page that is committed', async () => {
  const { code, out } = await dagain(['policy', 'reference']);
  expect([code, out]).toEqual([0, readFileSync(join(ROOT, 'deploy/policy/reference.md'), 'utf8')]);
});

describe('policy explain', () => {
  const timers = createRealTimers();
  let airflow: AirflowServer;
  let settings: Record<string, string>;
  beforeAll(async () => {
    const tags = ['team', 'dagain/max_retries=50', 'dagain/delay=5m', 'dagain/max_retry=3'];
    const model = createAirflowModel({
      version: '3.3',
      timers,
      dags: [
        { dagId: 'etl_daily', tags, tasks: [{ taskId: 'load' }] },
        { dagId: 'plain', tasks: [{ taskId: 'load' }] },
      ],
    });
    airflow = await serveAirflow({ model });
    const policy =
      'defaults: { jitter: none }\ndags:\n  - { match: "etl_*", settle_timeout: 1h }\nlimits: { max_retries: 5 }\n';
    settings = {
      DAGAIN_AIRFLOW_URL: airflow.url,
      DAGAIN_AIRFLOW_USERNAME: 'admin',
      DAGAIN_AIRFLOW_PASSWORD: 'admin',
      DAGAIN_POLICY_FILE: fileWith('policy.yaml', policy),
      DAGAIN_RETRY_DELAY: '7s',
    };
  });
  afterAll(async () => {
    await airflow.close();
    timers.stop();
  });

  test('shows each value with its origin, what was cut, and tags that count for nothing', async () => {
    const { code, out, err } = await dagain(['policy', 'explain', 'etl_daily'], settings);
    expect([code, err]).toEqual([0, '']);
    const rows = Object.fromEntries(
      out.split('\n').flatMap((line) => {
        const [, key, value, source] = /^ {2}(\S+) +(.*?) {2,}(.*)$/.exec(line) ?? [];
        return key === undefined ? [] : [[key, `${value} from ${source}`]];
      }),
    );
    expect(out.split('\n')[0]).toBe('Policy in force for etl_daily');
    expect(Object.keys(rows).toSorted()).toEqual([...POLICY_KEYS].toSorted());
    expect(rows).toMatchObject({
      max_retries: '5 from limits',
      delay: '5m from Dag tags',
      jitter: 'none from policy file, defaults',
      settle_timeout: '1h from policy file, dags[0] (etl_*)',
      max_delay: '1h from built-in',
    });
    expect(out).toContain('\nmax_retries: 50 of Dag tags is cut to 5 by the limits.\n');
    expect(out).toContain(
      '\nThe tag dagain/max_retry=3 counts for nothing: "max_retry" is not a policy key; the nearest is "max_retries".\n',
    );
  });

  test('prints the same as JSON', async () => {
    const { code, out } = await dagain(['policy', 'explain', 'etl_daily', '-o', 'json'], settings);
    expect(code).toBe(0);
    const view = JSON.parse(out);
    expect(Object.keys(view.policy)).toEqual([...POLICY_KEYS]);
    expect(view).toMatchObject({
      dag_id: 'etl_daily',
      policy: {
        max_retries: { value: 5, source: 'limits' },
        delay: { value: '5m', source: 'Dag tags' },
        backoff: { value: 'exponential', source: 'built-in' },
      },
      clamped: [{ key: 'max_retries', from: 50, to: 5, source: 'Dag tags' }],
      tags_known: true,
      tag_problems: [{ tag: 'dagain/max_retry=3' }],
    });
  });

  test('of a Dag without tags has nothing to remark', async () => {
    const { out } = await dagain(['policy', 'explain', 'plain'], settings);
    expect(out).toMatch(/^ {2}delay +7s +environment$/m);
    expect(out.trimEnd().split('\n')).toHaveLength(2 + POLICY_KEYS.length);
  });

  test('says so where the tags cannot be had', async () => {
    for (const [dagId, more] of [
      ['nodag', {}],
      ['etl_daily', { DAGAIN_AIRFLOW_PASSWORD: 'wrong' }],
      ['etl_daily', { DAGAIN_AIRFLOW_URL: 'http://127.0.0.1:1' }],
    ] as const) {
      const { code, out } = await dagain(['policy', 'explain', dagId], { ...settings, ...more });
      expect(code).toBe(0);
      expect(out).toMatch(/^ {2}delay +7s +environment$/m);
      expect(out).toContain(
        '\nThe Dag has no tags here: Airflow could not be asked, does not allow it, or knows no such Dag.\n',
      );
    }
  });

  test('needs the settings of the service', async () => {
    const missing = await dagain(['policy', 'explain', 'etl_daily']);
    expect([missing.code, missing.out, missing.err]).toEqual([
      2,
      '',
      'dagain: DAGAIN_AIRFLOW_URL must be set, for example http://airflow:8080\n',
    ]);
    const wrong = await dagain(['policy', 'explain', 'x'], {
      ...settings,
      DAGAIN_POLICY_FILE: fileWith('x.yaml', '['),
    });
    expect([wrong.code, wrong.err.split('\n')[0]]).toEqual([2, expect.stringMatching(/^dagain: .*x\.yaml:1: /)]);
  });
});
