import { HttpResponse } from 'msw';
import { describe, expect, test } from 'vitest';
import type { FailedRunsCursor } from '../../src/orchestrator/port.ts';
import { useNetwork } from '../support/network.ts';
import { htmlPage, KEY, olderRunJson, on, open, runJson, type Sent, versionHandlers } from './fixtures.ts';

const network = useNetwork();

const START = Date.parse('2026-11-21T01:30:00Z');
const FROM: FailedRunsCursor = { endedAtMs: START, skip: 0 };
const endAt = (second: number) => new Date(START + second * 1_000).toISOString();
const failed = (dagRunId: string, second: number) => runJson({ dag_run_id: dagRunId, end_date: endAt(second) });
const pageOf = (runs: object[], total: number | null = runs.length) =>
  total === null ? { dag_runs: runs } : { dag_runs: runs, total_entries: total };

async function ask(version: string, reply: () => Response, from = FROM) {
  const sent: Sent[] = [];
  const api = version.startsWith('2.') ? '/api/v1' : '/api/v2';
  network.use(...versionHandlers(version), on('GET', `${api}/dags/~/dagRuns`, sent, reply));
  const airflow = open();
  const answer = await airflow.failedRuns(from);
  await airflow.close();
  return { answer, sent };
}

const json = (body: object, status = 200) => {
  return () => HttpResponse.json(body, { status });
};

/** The ids of the runs that were found, and where reading goes on. */
async function read(body: object, from = FROM) {
  const { answer } = await ask('3.3.2', json(body), from);
  if (answer.type !== 'found') return answer;
  return { ids: answer.runs.map(({ key }) => key.dagRunId), unreadable: answer.unreadable, next: answer.next };
}

describe.each([
  ['3.3.2', '/api/v2', runJson, '2026-11-21T01:44:42.052Z'],
  ['2.11.2', '/api/v1', olderRunJson, null],
])('in Airflow %s', (version, api, row, queuedAt) => {
  test('failed runs of all Dags are asked for by when they ended', async () => {
    const { answer, sent } = await ask(version, json(pageOf([row()])), { ...FROM, skip: 7 });
    expect(answer).toMatchObject({
      type: 'found',
      runs: [
        {
          key: KEY,
          run: {
            type: 'found',
            state: 'failed',
            runType: 'scheduled',
            fingerprint: {
              queuedAtMs: queuedAt === null ? null : Date.parse(queuedAt),
              startedAtMs: Date.parse('2026-11-21T01:44:43.500Z'),
            },
          },
        },
      ],
      unreadable: 0,
    });
    const query = 'state=failed&end_date_gte=2026-11-21T01%3A30%3A00.000Z&order_by=end_date&limit=100&offset=7';
    expect(sent.map(({ path }) => path)).toEqual([`${api}/dags/~/dagRuns?${query}`]);
  });
});

describe('reading goes on', () => {
  test('at the time of the last run, so that a run which is cleared meanwhile pushes none away', async () => {
    const { next } = (await read(pageOf([failed('a', 1), failed('b', 2)], 5))) as { next: FailedRunsCursor };
    expect(next).toEqual({ endedAtMs: START + 2_000, skip: 0 });
  });

  test('by number only among runs that ended together', async () => {
    const from = { endedAtMs: START + 1_000, skip: 2 };
    expect(await read(pageOf([failed('c', 1), failed('d', 1)], 9), from)).toMatchObject({
      next: { endedAtMs: START + 1_000, skip: 4 },
    });
  });

  test.each([
    ['there is no more', pageOf([failed('a', 1)], 1), FROM],
    ['there is no more to skip to', pageOf([failed('a', 1)], 8), { ...FROM, skip: 7 }],
    ['there is nothing', pageOf([], 3), FROM],
    ['the total is left out and the page is not full', pageOf([failed('a', 1)], null), FROM],
  ])('no further when %s', async (_name, body, from) => {
    expect(await read(body, from)).toMatchObject({ next: null });
  });

  test('after a full page without a total', async () => {
    const runs = Array.from({ length: 100 }, (_, index) => failed(`r${index}`, index));
    expect(await read(pageOf(runs, null))).toMatchObject({ next: { endedAtMs: START + 99_000, skip: 0 } });
  });

  test('after a page that a smaller limit of the server has cut', async () => {
    expect(await read(pageOf([failed('a', 1)], 2))).toMatchObject({ next: { endedAtMs: START + 1_000, skip: 0 } });
  });
});

describe('what is no failed run', () => {
  test('is left out where filters went unheard', async () => {
    const rows = [
      failed('early', -5),
      { ...failed('success', 1), state: 'success' },
      { ...failed('running', 2), state: 'running', end_date: null },
    ];
    const answer = await ask('3.3.2', json(pageOf(rows.slice(0, 2))));
    expect(answer.answer).toMatchObject({ type: 'found', runs: [] });
    expect((await ask('3.3.2', json(pageOf(rows.slice(2))))).answer).toMatchObject({ type: 'found', runs: [] });
  });

  test.each([
    ['an id that leads elsewhere', failed('..', 2)],
    ['an id with a slash', failed('a/b', 2)],
    ['a state unheard of', { ...failed('b', 2), state: 'exploded' }],
    ['no object', 7],
  ])('is counted and keeps no other from being read: %s', async (_name, row) => {
    const rows = [failed('a', 1), row, failed('c', 3)] as object[];
    expect(await read(pageOf(rows, 4))).toEqual({
      ids: ['a', 'c'],
      unreadable: 1,
      next: { endedAtMs: START + 3_000, skip: 0 },
    });
  });

  test('a page of nothing but those is passed', async () => {
    expect(await read(pageOf([failed('..', 2), failed('..', 3)], 4))).toEqual({
      ids: [],
      unreadable: 2,
      next: { endedAtMs: START, skip: 2 },
    });
  });
});

describe('is an outage', () => {
  test.each([
    ['an error', json({ detail: 'boom' }, 500), 'server_error'],
    ['a permission that is missing', json({ detail: 'Forbidden' }, 403), 'forbidden'],
    ['another list', json({ dags: [] }), 'unexpected_answer'],
    ['a page', () => htmlPage(200), 'unexpected_answer'],
    ['an unknown path', json({ error: 'API route not found' }, 404), 'unexpected_answer'],
    ['another order', json(pageOf([failed('b', 2), failed('a', 1)])), 'unexpected_answer'],
  ])('%s', async (_name, reply, reason) => {
    expect((await ask('3.3.2', reply)).answer).toMatchObject({ type: 'unavailable', reason });
  });
});
