import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { dagain } from '../cli/run.ts';
import { passwordsFile } from './airflow/settings.ts';
import { chosenVersions, type Stage, setStage } from './stage.ts';

const View = z.object({
  checks: z.array(
    z.object({ check: z.string(), result: z.string(), found: z.string(), remedy: z.string().nullable() }),
  ),
});

describe.each(chosenVersions())('dagain doctor at Airflow %s', (version) => {
  const isOlder = version.startsWith('2.');
  let stage: Stage;
  let viewersPassword = 'viewer';

  beforeAll(async () => {
    const users = 'admin:admin,dagain:admin,viewer:viewer';
    stage = await setStage(version, ['fail_for_ever'], { AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS: users });
    viewersPassword = await addViewer(stage);
    const { api } = stage.airflow;
    await api.trigger('fail_for_ever', 'doctor');
    await api.waitForRun('fail_for_ever', 'doctor', (run) => run.state === 'failed');
  });

  afterAll(async () => {
    await stage?.close();
  });

  /** Simple's passwords are made by Airflow; FAB's users are added through its API. */
  async function addViewer({ airflow }: Stage): Promise<string> {
    if (!isOlder)
      return z.object({ viewer: z.string() }).parse(JSON.parse(await readFile(passwordsFile(airflow.home), 'utf8')))
        .viewer;
    const names = { username: 'viewer', first_name: 'v', last_name: 'v', email: 'viewer@example.com' };
    const reply = await airflow.api.send('POST', '/users', {
      ...names,
      password: 'viewer',
      roles: [{ name: 'Viewer' }],
    });
    expect(reply.status).toBe(200);
    return 'viewer';
  }

  async function examine(username: string, password: string) {
    const settings = {
      DAGAIN_AIRFLOW_URL: stage.airflow.url,
      DAGAIN_AIRFLOW_USERNAME: username,
      DAGAIN_AIRFLOW_PASSWORD: password,
      DAGAIN_DATA_DIR: join(stage.folder, 'doctor'),
      DAGAIN_PORT: '0',
    };
    const shown = await dagain(['doctor'], settings);
    if (process.env['E2E_SHOW'] !== undefined) process.stderr.write(`\n${version} as ${username}\n${shown.out}`);
    const { code, out, err } = await dagain(['doctor', '-o', 'json'], settings);
    expect([shown.code, shown.err, err]).toEqual([code, '', '']);
    const { checks } = View.parse(JSON.parse(out));
    return { code, results: Object.fromEntries(checks.map(({ check, result }) => [check, result])), checks };
  }

  test('all is well with a user who may do everything, and nothing has changed', async () => {
    const before = await stage.airflow.api.run('fail_for_ever', 'doctor');
    const { code, results, checks } = await examine('dagain', 'dagain');
    expect(code).toBe(0);
    expect(results).toMatchObject({
      airflow: 'ok',
      credentials: 'ok',
      'read Dags': 'ok',
      'read runs': 'ok',
      'audit log': 'ok',
      'clear runs': 'ok',
      "airflow's clock": 'ok',
    });
    expect(checks.find(({ check }) => check === 'airflow')?.found).toContain(version);
    expect(await stage.airflow.api.run('fail_for_ever', 'doctor')).toEqual(before);
    expect(await stage.clearers('fail_for_ever', 'doctor')).toEqual([]);
  });

  test('a user who may only read cannot clear, and is told what is missing', async () => {
    const { code, results, checks } = await examine('viewer', viewersPassword);
    expect(code).toBe(1);
    expect(results).toMatchObject({ airflow: 'ok', credentials: 'ok', 'read runs': 'ok', 'clear runs': 'fail' });
    expect(checks.find(({ check }) => check === 'clear runs')?.remedy).toContain('can edit on DAG Runs');
  });

  test('a wrong password is told', async () => {
    const { code, results, checks } = await examine('dagain', 'no-such-password');
    expect(code).toBe(1);
    expect(results).toMatchObject({ airflow: 'ok', credentials: 'fail' });
    expect(checks.find(({ check }) => check === 'credentials')?.remedy).toContain('DAGAIN_AIRFLOW_PASSWORD');
    expect(JSON.stringify(checks)).not.toContain('no-such-password');
  });
});
