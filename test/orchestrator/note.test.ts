import { HttpResponse } from 'msw';
import { describe, expect, test } from 'vitest';
import { withLine } from '../../src/orchestrator/airflow/note-text.ts';
import { useNetwork } from '../support/network.ts';
import {
  htmlPage,
  KEY,
  NO_RUN,
  OLDER_NO_RUN,
  olderRunJson,
  on,
  open,
  RUN_PATH,
  runJson,
  type Sent,
  versionHandlers,
} from './fixtures.ts';

const network = useNetwork();
const LINE = 'retry 2 of 3 at 2026-11-21 14:05:00 UTC (task load: ConnectionError)';
const OURS = withLine('', LINE) ?? '';

describe('our line in a note', () => {
  test('is marked, alone or below what a person wrote', () => {
    expect(OURS).toMatch(/^dagain: retry 2 of 3 at .* \[[0-9a-f]{4}\]$/);
    expect(withLine('I am on it\nAnna', LINE)).toBe(`I am on it\nAnna\n${OURS}`);
  });

  test('takes the place of our last one, wherever a person has put text around it', () => {
    const note = withLine(`before\n${OURS}\nafter`, 'gave up');
    expect(note).toMatch(/^before\nafter\ndagain: gave up \[[0-9a-f]{4}\]$/);
    expect(withLine(`before\r\n${OURS}\r`, null)).toBe('before\r');
    expect(withLine(`before\n${OURS}`, null)).toBe('before');
    expect(withLine(OURS, null)).toBe('');
  });

  test('is a person’s once a person has written into it', () => {
    const edited = [`${OURS} never mind`, OURS.replace('load', 'loud'), 'dagain: a fine tool', `> ${OURS}`];
    for (const one of edited) expect(withLine(one, 'gave up')?.startsWith(`${one}\n`)).toBe(true);
  });

  test('is one line, whatever the task’s error says', () => {
    expect(withLine('', 'a\nb\r\n\u2028 c\u0000')).toMatch(/^dagain: a b c \[/);
  });

  test('is cut to the room that is left, and left out where that is too little', () => {
    for (let length = 0; length <= 1_001; length += 1) {
      const theirs = 'x'.repeat(length);
      const note = withLine(theirs, LINE);
      if (note === null) expect(length).toBeGreaterThan(959);
      else expect(note.startsWith(theirs) && note.length <= 1_000).toBe(true);
      if (note !== null) expect(withLine(note, null)).toBe(theirs);
    }
    expect(withLine('', '😀'.repeat(400))?.isWellFormed()).toBe(true);
  });

  test('goes where it would be out of date and a new one does not fit', () => {
    const theirs = 'x'.repeat(970);
    expect(withLine(`${theirs}\n${OURS}`, LINE.replace('2 of', '3 of'))).toBe(theirs);
  });
});

const cases = [
  ['3.3.2', runJson, `/api/v2${RUN_PATH}?update_mask=note`, '/api/v2'],
  ['2.11.2', olderRunJson, `/api/v1${RUN_PATH}/setNote`, '/api/v1'],
] as const;

describe.each(cases)('Airflow %s', (version, json, writePath, api) => {
  const path = `${api}/dags/:dag/dagRuns/:run${version === '2.11.2' ? '/setNote' : ''}`;

  async function annotate(read: () => Response, written = () => HttpResponse.json(json())) {
    const sent: Sent[] = [];
    network.use(
      ...versionHandlers(version),
      on('GET', `${api}/dags/:dag/dagRuns/:run`, sent, read),
      on('PATCH', path, sent, written),
    );
    const airflow = open();
    const outcome = await airflow.annotate(KEY, LINE);
    await airflow.close();
    return { outcome, writes: sent.filter(({ method }) => method === 'PATCH') };
  }

  test('the note is read and written with what a person wrote', async () => {
    const { outcome, writes } = await annotate(() => HttpResponse.json(json({ note: 'mine' })));
    expect(outcome).toEqual({ type: 'accepted' });
    expect(writes).toMatchObject([{ path: writePath, body: { note: `mine\n${OURS}` } }]);
  });

  test('what is there already is not written again', async () => {
    const { outcome, writes } = await annotate(() => HttpResponse.json(json({ note: OURS })));
    expect([outcome, writes]).toEqual([{ type: 'accepted' }, []]);
  });

  test('a note that leaves no room stays as it is', async () => {
    const { outcome, writes } = await annotate(() => HttpResponse.json(json({ note: 'x'.repeat(1_000) })));
    expect([outcome, writes]).toEqual([{ type: 'no_room' }, []]);
  });

  test.each([
    ['without a note', () => HttpResponse.json({ ...json(), note: undefined })],
    ['of another run', () => HttpResponse.json(json({ note: null, dag_run_id: 'other' }))],
    ['a page', () => htmlPage(200)],
    ['a failure', () => htmlPage(503)],
  ])('nothing is written over a read that is %s', async (_name, read) => {
    const { outcome, writes } = await annotate(read);
    expect([outcome.type, writes]).toEqual(['unavailable', []]);
  });

  test('a run that is gone is missing', async () => {
    const gone = version === '2.11.2' ? OLDER_NO_RUN : NO_RUN;
    const { outcome } = await annotate(() => HttpResponse.json(gone, { status: 404 }));
    expect(outcome).toEqual({ type: 'missing' });
  });

  test.each([
    [403, { type: 'unavailable', reason: 'forbidden' }],
    [422, { type: 'refused' }],
    [500, { type: 'unavailable', reason: 'server_error' }],
  ])('a write that is answered %i is told, and not repeated', async (status, told) => {
    const { outcome, writes } = await annotate(
      () => HttpResponse.json(json({ note: null })),
      () => HttpResponse.json({ detail: 'no' }, { status }),
    );
    expect(outcome).toMatchObject(told);
    expect(writes).toHaveLength(1);
  });
});
