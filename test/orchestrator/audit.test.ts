import { HttpResponse, http } from 'msw';
import { describe, expect, test } from 'vitest';
import { useNetwork } from '../support/network.ts';
import { BASE, htmlPage, KEY, open, PASSWORD, versionHandlers } from './fixtures.ts';

const network = useNetwork();
const RUN_ID = KEY.dagRunId;
const TOKEN = { type: 'token', read: async () => 'secret' } as const;

/** A row as Airflow answers it; the newest one has the highest number. */
function row(at: number, event: string, fields: Record<string, unknown> = {}) {
  const when = `2026-11-21T01:${String(at).padStart(2, '0')}:00.012365Z`;
  const extra = '{"dry_run": false, "method": "POST"}';
  return {
    event_log_id: at,
    when,
    dag_id: KEY.dagId,
    run_id: RUN_ID,
    task_id: null,
    owner: 'anna',
    event,
    extra,
    ...fields,
  };
}
const atMs = (at: number) => Date.parse(`2026-11-21T01:${String(at).padStart(2, '0')}:00.012Z`);

interface Log {
  readonly version?: string;
  readonly rows: readonly ReturnType<typeof row>[];
  readonly auditUser?: string;
  /** Airflow's `maximum_page_limit`. */
  readonly maxPage?: number;
  readonly reply?: (request: Request) => Response | undefined;
}

/** An Airflow with this log, which understands the filters that both versions have. */
function airflowWith({ version = '3.3.2', rows, auditUser = 'dagain', maxPage = 100, reply = () => undefined }: Log) {
  const api = version.startsWith('2.') ? 'v1' : 'v2';
  const asked: URLSearchParams[] = [];
  network.use(
    ...versionHandlers(version),
    http.get(`${BASE}/api/${api}/eventLogs`, ({ request }) => {
      const query = new URL(request.url).searchParams;
      asked.push(query);
      const given = query.getAll('included_events');
      const events = api === 'v1' ? (given[0]?.split(',') ?? []) : given;
      const is = (name: string, value: unknown) => query.get(name) === null || query.get(name) === value;
      const found = rows
        .filter((one) => events.includes(one.event) && is('dag_id', one.dag_id) && is('run_id', one.run_id))
        .filter((one) => is('owner', one.owner) && one.when > (query.get('after') ?? ''))
        .toSorted((a, b) => b.event_log_id - a.event_log_id);
      const offset = Number(query.get('offset'));
      const page = found.slice(offset, offset + Math.min(Number(query.get('limit')), maxPage));
      return reply(request) ?? HttpResponse.json({ event_logs: page, total_entries: found.length });
    }),
  );
  return { airflow: open({ credentials: TOKEN, auditUser }), asked };
}

async function trailOf(log: Log) {
  const { airflow } = airflowWith(log);
  const trail = await airflow.auditTrail(KEY);
  await airflow.close();
  return trail;
}

const kinds = (trail: Awaited<ReturnType<typeof trailOf>>) =>
  trail.type === 'found' ? trail.entries.map(({ action, isOurs }) => (isOurs ? `our ${action}` : action)) : trail.type;

describe('the audit trail of a run', () => {
  test('tells who cleared it, the oldest first', async () => {
    const rows = [row(1, 'clear_dag_run'), row(9, 'clear_dag_run', { owner: 'dagain' }), row(5, 'clear_dag_run')];
    expect(await trailOf({ rows })).toEqual({
      type: 'found',
      isComplete: true,
      knowsUs: true,
      entries: [
        { action: 'cleared', atMs: atMs(1), isOurs: false, owner: 'anna', taskId: null },
        { action: 'cleared', atMs: atMs(5), isOurs: false, owner: 'anna', taskId: null },
        { action: 'cleared', atMs: atMs(9), isOurs: true, owner: 'dagain', taskId: null },
      ],
    });
  });

  test.each([
    ['3.3.2', row(1, 'clear_dag_run', { extra: '{"method": "POST"}' }), []],
    ['3.0.6', row(1, 'clear_dag_run', { extra: '{"dry_run": true, "method": "POST"}' }), []],
    ['3.3.2', row(1, 'post_clear_task_instances', { task_id: 'load' }), ['cleared']],
    ['3.3.2', row(1, 'patch_dag_run', { extra: '{"state": "failed", "method": "PATCH"}' }), ['marked_failed']],
    ['3.3.2', row(1, 'patch_dag_run', { extra: '{"state": "success", "method": "PATCH"}' }), ['marked_success']],
    ['3.3.2', row(1, 'patch_dag_run', { extra: '{"state": "queued", "method": "PATCH"}' }), ['cleared']],
    ['3.3.2', row(1, 'patch_dag_run', { extra: '{"note": "failed", "method": "PATCH"}' }), []],
    ['3.3.2', row(1, 'patch_task_instance', { extra: '{"new_state": "failed"}' }), ['marked_failed']],
    [
      '3.3.2',
      row(1, 'bulk_task_instances', {
        run_id: null,
        extra: JSON.stringify({ actions: [{ entities: [{ dag_run_id: RUN_ID, new_state: 'failed' }] }] }),
      }),
      ['marked_failed'],
    ],
    ['3.3.2', row(1, 'heartbeat timeout', { owner: null, extra: 'no heartbeat' }), ['task_lost']],
    ['2.11.2', row(1, 'api.clear_dag_run', { extra: '{"dry_run": false}' }), ['cleared']],
    ['2.11.2', row(1, 'api.clear_dag_run', { extra: '{"dry_run": true}' }), []],
    ['2.11.2', row(1, 'api.clear_dag_run', { extra: '{}' }), []],
    [
      '2.11.2',
      row(1, 'api.post_clear_task_instances', {
        run_id: null,
        extra: JSON.stringify({ dry_run: false, dag_run_id: RUN_ID }),
      }),
      ['cleared'],
    ],
    [
      '2.11.2',
      row(1, 'ui.post_clear_task_instances', {
        run_id: null,
        extra: JSON.stringify({ dry_run: false, dag_run_id: 'another' }),
      }),
      [],
    ],
    ['2.11.2', row(1, 'dagrun_clear', { extra: '{"confirmed": "true"}' }), ['cleared']],
    ['2.11.2', row(1, 'dagrun_clear', { extra: '{"confirmed": "false"}' }), []],
    ['2.11.2', row(1, 'dagrun_failed', { extra: '{"confirmed": "true"}' }), ['marked_failed']],
    ['2.11.2', row(1, 'dagrun_failed', { extra: '{}' }), []],
    ['2.11.2', row(1, 'failed', { extra: '{"host_name": "x", "full_command": "airflow tasks run"}' }), []],
    ['2.11.2', row(1, 'failed', { extra: '{"confirmed": "true"}' }), ['marked_failed']],
    ['2.11.2', row(1, 'success', { extra: null }), []],
    ['2.11.2', row(1, 'state mismatch', { owner: 'airflow', extra: 'Executor reported' }), ['task_lost']],
    ['2.11.2', row(1, 'api.post_set_task_instances_state', { extra: '{"dry_run": true, "new_state": "failed"}' }), []],
    ['2.11.2', row(1, 'api.post_set_task_instances_state', { extra: '{"new_state": "failed"}' }), []],
    ['2.11.2', row(1, 'api.patch_task_instance', { extra: '{"new_state": "failed"}' }), []],
    [
      '2.11.2',
      row(1, 'api.patch_task_instance', { extra: '{"dry_run": false, "new_state": "failed"}' }),
      ['marked_failed'],
    ],
    ['2.11.2', row(1, 'api.update_dag_run_state', { extra: '{"state": "failed"}' }), ['marked_failed']],
    ['2.11.2', row(1, 'task launch failure', { owner: null, extra: 'Task was in running set' }), ['task_lost']],
    ['2.11.2', row(1, 'stuck in queued tries exceeded', { owner: null, extra: 'requeued' }), ['task_lost']],
    ['2.11.2', row(1, 'stuck in queued reschedule', { owner: null, extra: 'set back to scheduled' }), []],
  ] as const)('%s: %j', async (version, one, expected) => {
    expect(kinds(await trailOf({ version, rows: [one] }))).toEqual(expected);
  });

  const [ONE, OTHER] = [{ dag_run_id: RUN_ID }, { dag_run_id: 'another' }];
  const states = (...entities: object[]) => ({ actions: [{ action: 'update', entities }] });

  // Airflow 3.3 acts on several runs of a Dag in one request, and asks what it would do first.
  test.each<[string, object, string[]]>([
    ['clear_dag_runs', { dag_runs: [OTHER, ONE], dry_run: false }, ['cleared']],
    ['clear_dag_runs', { dag_runs: [OTHER, ONE], dry_run: true }, []],
    ['clear_dag_runs', { dag_runs: [OTHER, ONE] }, []],
    ['clear_dag_runs', { dag_runs: [OTHER], dry_run: false }, []],
    ['bulk_dag_runs', states({ ...OTHER, state: 'success' }, { ...ONE, state: 'failed' }), ['marked_failed']],
    ['bulk_dag_runs', states({ ...OTHER, state: 'failed' }, { ...ONE, state: 'success' }), ['marked_success']],
    ['bulk_dag_runs', states({ ...OTHER, state: 'failed' }), []],
    ['bulk_dag_runs', { actions: [{ action: 'delete', entities: [RUN_ID] }] }, []],
  ])('%s of several runs: %j', async (event, body, expected) => {
    const one = row(1, event, { run_id: null, extra: JSON.stringify(body) });
    expect(kinds(await trailOf({ rows: [one] }))).toEqual(expected);
  });

  test.each([
    ['another run', { run_id: 'another' }],
    ['another Dag', { dag_id: 'another' }],
  ])('a row about %s counts for nothing, whatever the filter did', async (_name, fields) => {
    const reply = () => HttpResponse.json({ event_logs: [row(1, 'clear_dag_run', fields)], total_entries: 1 });
    expect(kinds(await trailOf({ rows: [], reply }))).toEqual([]);
  });

  test('the scheduler is never taken for us, whatever its owner', async () => {
    expect(kinds(await trailOf({ rows: [row(1, 'heartbeat timeout', { owner: 'dagain' })] }))).toEqual(['task_lost']);
  });

  test('more than three pages are not read: the newest are there', async () => {
    const rows = Array.from({ length: 320 }, (_, at) => ({
      ...row(1, 'clear_dag_run'),
      event_log_id: at,
      owner: `u${at}`,
    }));
    const trail = await trailOf({ rows });
    expect(trail).toMatchObject({ type: 'found', isComplete: false });
    if (trail.type !== 'found') return;
    expect(trail.entries).toHaveLength(300);
    expect(trail.entries.some(({ owner }) => owner === 'u319')).toBe(true);
  });

  test('pages may be shorter than asked for, where Airflow is set up so', async () => {
    const rows = Array.from({ length: 25 }, (_, at) => row(at, 'clear_dag_run', { owner: `u${at}` }));
    const trail = await trailOf({ rows, maxPage: 10 });
    expect(trail).toMatchObject({ type: 'found', isComplete: true });
    if (trail.type === 'found') expect(trail.entries).toHaveLength(25);
    // The newest, and told so: three pages are not enough for all.
    const part = await trailOf({ rows, maxPage: 5 });
    expect(part).toMatchObject({ type: 'found', isComplete: false });
    if (part.type === 'found') expect(part.entries.map(({ owner }) => owner).at(0)).toBe('u10');
  });

  test('with a password our name is the user name, unless another is given', async () => {
    const rows = [row(1, 'clear_dag_run', { owner: 'dagain' })];
    const { airflow } = airflowWith({ rows });
    await airflow.close();
    network.use(http.post(`${BASE}/auth/token`, () => HttpResponse.json({ access_token: 'x.y.z' }, { status: 201 })));
    for (const [auditUser, expected] of [
      [undefined, ['our cleared']],
      ['Dag Ain', ['cleared']],
    ] as const) {
      const named = auditUser === undefined ? {} : { auditUser };
      const own = open({ credentials: PASSWORD, ...named });
      expect(kinds(await own.auditTrail(KEY))).toEqual(expected);
      await own.close();
    }
  });

  test('with a token alone it is not known which entries are ours', async () => {
    airflowWith({ rows: [row(1, 'clear_dag_run')] });
    const airflow = open({ credentials: TOKEN });
    expect(await airflow.auditTrail(KEY)).toMatchObject({ type: 'found', knowsUs: false });
    expect(await airflow.ownClears(0)).toMatchObject({ type: 'unavailable', reason: 'forbidden' });
    await airflow.close();
  });
});

describe.each(['3.3.2', '2.11.2'])('a log of %s that cannot be read', (version) => {
  test.each([
    ['403', () => HttpResponse.json({ detail: 'Forbidden' }, { status: 403 }), 'forbidden'],
    ['403 of a proxy', () => HttpResponse.html('<h1>403</h1>', { status: 403 }), 'unexpected_answer'],
    ['500', () => htmlPage(500), 'server_error'],
    ['no JSON', () => htmlPage(200), 'unexpected_answer'],
    ['a row of another kind', () => HttpResponse.json({ event_logs: [{ when: 5 }] }), 'unexpected_answer'],
    ['429', () => HttpResponse.json({}, { status: 429 }), 'rate_limited'],
    ['400 of a proxy', () => htmlPage(400), 'unexpected_answer'],
  ] as const)('%s', async (_name, reply, reason) => {
    const { airflow } = airflowWith({ version, rows: [], reply });
    expect(await airflow.auditTrail(KEY)).toMatchObject({ type: 'unavailable', reason });
    expect(await airflow.ownClears(0)).toMatchObject({ type: 'unavailable', reason });
    await airflow.close();
  });
});

describe('an Airflow that is too old to filter its log', () => {
  test('tells nothing of a run, and holds nothing up', async () => {
    const reply = () => HttpResponse.json({ title: 'Bad Request', status: 400, detail: 'x' }, { status: 400 });
    expect(await trailOf({ version: '2.8.4', rows: [], reply })).toMatchObject({ type: 'found', isComplete: false });
  });

  test('does not show which clears are ours', async () => {
    const reply = () => HttpResponse.json({ title: 'Bad Request', status: 400, detail: 'x' }, { status: 400 });
    const { airflow } = airflowWith({ version: '2.8.4', rows: [], reply });
    expect(await airflow.ownClears(0)).toMatchObject({ type: 'unavailable', reason: 'forbidden' });
    await airflow.close();
  });
});

describe('our own clears', () => {
  test.each(['3.3.2', '2.11.2'])('of all runs since then, the oldest first: %s', async (version) => {
    const isOld = version.startsWith('2.');
    const clear = isOld ? 'api.clear_dag_run' : 'clear_dag_run';
    const tasks = isOld ? 'api.post_clear_task_instances' : 'post_clear_task_instances';
    const ours = { owner: 'dagain' };
    const body = JSON.stringify({ dry_run: false, dag_run_id: 'by body' });
    const rows = [
      row(1, clear, ours),
      row(4, clear, { ...ours, dag_id: 'other', run_id: 'r' }),
      row(3, tasks, { ...ours, run_id: null, extra: body }),
      row(5, clear, { ...ours, extra: '{"dry_run": true}' }),
      row(6, clear),
    ];
    const { airflow, asked } = airflowWith({ version, rows });
    expect(await airflow.ownClears(atMs(2))).toEqual({
      type: 'found',
      isComplete: true,
      clears: [
        { key: { dagId: KEY.dagId, dagRunId: 'by body' }, atMs: atMs(3) },
        { key: { dagId: 'other', dagRunId: 'r' }, atMs: atMs(4) },
      ],
    });
    expect(asked).toHaveLength(1);
    await airflow.close();
  });
});
