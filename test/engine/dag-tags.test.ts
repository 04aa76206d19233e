import { describe, expect, test } from 'vitest';
import { ASK_AGAIN_MS, createDagTags, FRESH_MS, MAX_DAGS } from '../../src/engine/dag-tags.ts';
import type { DagDescription, UnavailableReason } from '../../src/orchestrator/port.ts';
import { createFakeLog } from '../http/serve.ts';
import { createVirtualTimers } from '../support/timers.ts';

const MISSING: DagDescription = { type: 'missing' };

function found(...tags: string[]): DagDescription {
  return { type: 'found', tags, isPaused: false };
}

function unavailable(reason: UnavailableReason): DagDescription {
  return { type: 'unavailable', reason, detail: `because: ${reason}`, retryAfterMs: null };
}

/** Dag tags over an orchestrator that answers what `answer` says at the moment. */
function setUp(first: DagDescription) {
  const clock = createVirtualTimers();
  const log = createFakeLog();
  const asked: string[] = [];
  const orchestrator = {
    answer: async (_dagId: string): Promise<DagDescription> => first,
    describeDag(dagId: string) {
      asked.push(dagId);
      return this.answer(dagId);
    },
  };
  const tags = createDagTags({ orchestrator, clock, log });
  const say = (answer: DagDescription) => {
    orchestrator.answer = async () => answer;
  };
  return { clock, log, asked, orchestrator, tags, say };
}

describe('tags that could be read', () => {
  test('are unknown before, and known and fresh afterwards', async () => {
    const { tags, asked } = setUp(found('x', 'dagain/max_retries=3'));
    expect([tags.remembered('etl'), tags.isFresh('etl')]).toEqual([null, false]);
    expect(asked).toEqual([]);
    expect(await tags.refresh('etl')).toBe(true);
    expect(tags.remembered('etl')).toEqual({ layer: { max_retries: 3 }, problems: [], isRead: true });
    expect(tags.isFresh('etl')).toBe(true);
    expect(tags.remembered('elt')).toBeNull();
  });

  test('are read again after five minutes, not before', async () => {
    const { clock, tags, asked, say } = setUp(found('dagain/max_retries=3'));
    await tags.refresh('etl');
    say(found('dagain/max_retries=1'));
    await clock.advanceBy(FRESH_MS - 1);
    expect(await tags.refresh('etl')).toBe(true);
    expect(asked).toHaveLength(1);
    await clock.advanceBy(1);
    expect(tags.isFresh('etl')).toBe(false);
    expect(tags.remembered('etl')?.layer).toEqual({ max_retries: 3 });
    expect(await tags.refresh('etl')).toBe(true);
    expect(tags.remembered('etl')?.layer).toEqual({ max_retries: 1 });
    expect(asked).toHaveLength(2);
    expect(FRESH_MS).toBe(5 * 60_000);
  });

  test('are asked for once by many runs that fail together', async () => {
    const { tags, asked, orchestrator } = setUp(found());
    const { promise, resolve } = Promise.withResolvers<DagDescription>();
    orchestrator.answer = () => promise;
    const waiting = Array.from({ length: 50 }, () => tags.refresh('etl'));
    const other = tags.refresh('elt');
    resolve(found('dagain/delay=5s'));
    expect(new Set(await Promise.all([...waiting, other]))).toEqual(new Set([true]));
    expect(asked).toEqual(['etl', 'elt']);
  });

  test('are asked for again after a bug has thrown', async () => {
    const { tags, orchestrator } = setUp(found());
    orchestrator.answer = () => Promise.reject(new TypeError('a bug'));
    await expect(tags.refresh('etl')).rejects.toThrow('a bug');
    orchestrator.answer = async () => found();
    expect(await tags.refresh('etl')).toBe(true);
  });

  test('are the same object until they are read again, so that what was resolved from them can be kept', async () => {
    const { clock, tags, say } = setUp(found('dagain/max_retries=3'));
    await tags.refresh('etl');
    const first = tags.remembered('etl');
    await clock.advanceBy(FRESH_MS);
    say(unavailable('unreachable'));
    await tags.refresh('etl');
    expect(tags.remembered('etl')).toBe(first);
    await clock.advanceBy(ASK_AGAIN_MS);
    say(found('dagain/max_retries=3'));
    await tags.refresh('etl');
    expect(tags.remembered('etl')).not.toBe(first);
  });

  test('are forgotten beyond ten thousand Dags, those asked for the longest ago first', async () => {
    const { clock, tags } = setUp(found('dagain/max_retries=3'));
    await tags.refresh('first');
    await tags.refresh('second');
    await clock.advanceBy(FRESH_MS);
    await tags.refresh('first');
    for (let n = 0; n < MAX_DAGS - 1; n += 1) await tags.refresh(`dag_${n}`);
    expect(tags.remembered('second')).toBeNull();
    expect(tags.remembered('first')).not.toBeNull();
    await tags.refresh('one more');
    expect(tags.remembered('first')).toBeNull();
    expect(tags.remembered('dag_0')).not.toBeNull();
  });
});

const PASSING: readonly UnavailableReason[] = [
  'unreachable',
  'timed_out',
  'unauthorized',
  'rate_limited',
  'server_error',
  'unexpected_answer',
];

describe.each(PASSING)('an outage: %s', (reason) => {
  test('of a Dag that nothing is known of is waited out, and asked for at each look', async () => {
    const { tags, asked, say } = setUp(unavailable(reason));
    expect(await tags.refresh('etl')).toBe(false);
    expect([tags.remembered('etl'), tags.isFresh('etl')]).toEqual([null, false]);
    expect(await tags.refresh('etl')).toBe(false);
    expect(asked).toHaveLength(2);
    say(found('dagain/max_retries=0'));
    expect(await tags.refresh('etl')).toBe(true);
    expect(tags.remembered('etl')?.layer).toEqual({ max_retries: 0 });
  });

  test('leaves in force what is known, and does not ask at each look', async () => {
    const { clock, tags, asked, say } = setUp(found('dagain/max_retries=0'));
    await tags.refresh('etl');
    await clock.advanceBy(FRESH_MS);
    say(unavailable(reason));
    expect(await tags.refresh('etl')).toBe(true);
    expect(tags.remembered('etl')).toMatchObject({ layer: { max_retries: 0 }, isRead: true });
    // So that an alert for a hit cap need not wait for Airflow to come back.
    expect(tags.isFresh('etl')).toBe(true);
    await tags.refresh('etl');
    await clock.advanceBy(ASK_AGAIN_MS - 1);
    await tags.refresh('etl');
    expect(asked).toHaveLength(2);
    await clock.advanceBy(1);
    await tags.refresh('etl');
    expect(asked).toHaveLength(3);
  });
});

describe.each([
  ['may not be read', unavailable('forbidden')],
  ['Airflow does not know', MISSING],
])('a Dag that %s', (_name, answer) => {
  test('counts as having no tags, so that its runs wait for nothing', async () => {
    const { clock, tags, asked, say } = setUp(answer);
    expect(await tags.refresh('etl')).toBe(true);
    expect(tags.remembered('etl')).toEqual({ layer: {}, problems: [], isRead: false });
    expect(tags.isFresh('etl')).toBe(true);
    await tags.refresh('etl');
    expect(asked).toHaveLength(1);
    // Not for long: the permission, or the Dag, may come.
    await clock.advanceBy(ASK_AGAIN_MS);
    say(found('dagain/max_retries=0'));
    expect(tags.isFresh('etl')).toBe(false);
    await tags.refresh('etl');
    expect(tags.remembered('etl')).toMatchObject({ layer: { max_retries: 0 }, isRead: true });
  });

  test('keeps the tags that it had', async () => {
    const { clock, tags, say } = setUp(found('dagain/max_retries=0'));
    await tags.refresh('etl');
    await clock.advanceBy(FRESH_MS);
    say(answer);
    expect(await tags.refresh('etl')).toBe(true);
    expect(tags.remembered('etl')).toMatchObject({ layer: { max_retries: 0 }, isRead: true });
  });

  test('goes on counting as having none when an outage follows', async () => {
    const { clock, tags, say } = setUp(answer);
    await tags.refresh('etl');
    await clock.advanceBy(ASK_AGAIN_MS);
    say(unavailable('unreachable'));
    expect(await tags.refresh('etl')).toBe(true);
    expect(tags.remembered('etl')).toMatchObject({ layer: {}, isRead: false });
  });
});

describe('the log', () => {
  test('names a tag that was not understood once, and again when it changes', async () => {
    const { clock, tags, log, say } = setUp(found('dagain/max_retry=3', 'dagain/delay=5s'));
    await tags.refresh('etl');
    await clock.advanceBy(FRESH_MS);
    await tags.refresh('etl');
    expect(tags.remembered('etl')).toMatchObject({
      layer: { delay: 5_000 },
      problems: [{ tag: 'dagain/max_retry=3' }],
    });
    const detail = '"max_retry" is not a policy key; the nearest is "max_retries"';
    expect(log.lines).toEqual([
      {
        level: 'warn',
        fields: { dag_id: 'etl', tag: 'dagain/max_retry=3', detail },
        message: 'a Dag tag was not understood',
      },
    ]);
    say(found('dagain/max_retries=three'));
    await clock.advanceBy(FRESH_MS);
    await tags.refresh('etl');
    expect(log.lines).toHaveLength(2);
  });

  test.each([
    ['nothing is known', [], 'nothing is decided without its tags'],
    ['tags are known', [found()], 'its tags are as last known'],
  ])('tells of an outage once while it lasts, and of the next one again: %s', async (_name, before, what) => {
    const { clock, tags, log, say } = setUp(unavailable('server_error'));
    const outage = async () => {
      say(unavailable('server_error'));
      for (let looks = 0; looks < 5; looks += 1) {
        await clock.advanceBy(FRESH_MS);
        await tags.refresh('etl');
      }
    };
    for (const answer of before) {
      say(answer);
      await tags.refresh('etl');
    }
    await outage();
    const fields = { dag_id: 'etl', reason: 'server_error', detail: 'because: server_error' };
    expect(log.lines).toEqual([{ level: 'warn', fields, message: `the Dag could not be read: ${what}` }]);
    say(found());
    await clock.advanceBy(FRESH_MS);
    await tags.refresh('etl');
    await outage();
    expect(log.lines).toHaveLength(2);
  });

  test('says why a Dag counts as having no tags', async () => {
    const { tags, log } = setUp(MISSING);
    await tags.refresh('etl');
    expect(log.lines).toMatchObject([
      {
        fields: { dag_id: 'etl', reason: 'missing', detail: 'the orchestrator knows no such Dag' },
        message: 'the Dag could not be read: it counts as having no tags',
      },
    ]);
  });
});
