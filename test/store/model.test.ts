import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dueAtOf, type RunRecord } from '../../src/core/record.ts';
import { formatRunKey, type RunKey } from '../../src/core/run-key.ts';
import type { RunStore } from '../../src/store/port.ts';
import { recordDueAt } from '../support/records.ts';
import { type StoreData, storeHarnesses } from '../support/store-harness.ts';

// In the order of their bytes, and spread over several shards.
const KEYS: readonly RunKey[] = [
  { dagId: 'a', dagRunId: 'manual__2026-01-01T00:00:00+00:00' },
  { dagId: 'a', dagRunId: 'x.1' },
  { dagId: 'a b', dagRunId: 'x' },
  { dagId: 'ab', dagRunId: '1:2' },
  { dagId: 'é', dagRunId: 'x' },
  { dagId: '\uff21', dagRunId: 'x' },
  { dagId: '😀', dagRunId: 'x' },
];

/** Which version a swap expects: the one in place, one that was, or none. */
type Expected = 'current' | 'former' | 'absent';

type Operation =
  | { readonly type: 'swap'; readonly run: number; readonly expected: Expected; readonly next: Next }
  | { readonly type: 'take'; readonly nowMs: number; readonly limit: number; readonly leaseMs: number }
  | { readonly type: 'load'; readonly run: number }
  | { readonly type: 'list'; readonly limit: number }
  | { readonly type: 'count'; readonly nowMs: number }
  | { readonly type: 'reopen' };

/** Null deletes; otherwise a record that is due then, or never. */
type Next = { readonly dueAtMs: number | null } | null;

const run = fc.nat({ max: KEYS.length - 1 });
const timeMs = fc.nat({ max: 60 });
const swap: fc.Arbitrary<Operation> = fc.record({
  type: fc.constant('swap'),
  run,
  expected: fc.oneof(
    { weight: 6, arbitrary: fc.constant('current' as const) },
    fc.constantFrom('former' as const, 'absent' as const),
  ),
  next: fc.oneof({ weight: 4, arbitrary: fc.record({ dueAtMs: timeMs }) }, fc.constantFrom({ dueAtMs: null }, null)),
});
const take: fc.Arbitrary<Operation> = fc.record({
  type: fc.constant('take'),
  nowMs: timeMs,
  limit: fc.nat({ max: 4 }),
  leaseMs: fc.integer({ min: 1, max: 20 }),
});
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: swap },
  { weight: 4, arbitrary: take },
  fc.record({ type: fc.constant('load'), run }),
  fc.record({ type: fc.constant('list'), limit: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ type: fc.constant('count'), nowMs: timeMs }),
  fc.record({ type: fc.constant('reopen') }),
);
/** Each operation goes to one of two stores on the same data. */
const operations = fc.array(fc.tuple(operation, fc.nat({ max: 1 })), { minLength: 1, maxLength: 60 });

/** What a store must do, as plainly as it can be said. */
class Model {
  readonly #records = new Map<number, { version: number; value: RunRecord }>();
  readonly #due = new Map<number, number>();
  readonly #former = new Map<number, number[]>();

  versionFor(run: number, expected: Expected): number {
    if (expected === 'absent') return 0;
    const current = this.#records.get(run)?.version ?? 0;
    return expected === 'current' ? current : (this.#former.get(run)?.findLast((version) => version !== current) ?? 1);
  }

  load(run: number): { version: number; value: RunRecord } | null {
    return this.#records.get(run) ?? null;
  }

  /** Takes over the version that the store gave, after checking that it is new for this run. */
  swap(run: number, expected: number, next: RunRecord | null, version: number | null): void {
    const wins = expected === (this.#records.get(run)?.version ?? 0);
    expect(version !== null, 'who wins').toBe(wins);
    if (version === null) return;
    const former = this.#former.get(run) ?? [];
    expect(
      former.every((old) => old < version),
      'versions grow',
    ).toBe(true);
    this.#former.set(run, [...former, version]);
    this.#due.delete(run);
    this.#records.delete(run);
    if (next === null) return;
    this.#records.set(run, { version, value: next });
    const dueAtMs = dueAtOf(next);
    if (dueAtMs !== null) this.#due.set(run, dueAtMs);
  }

  takeDue(nowMs: number, limit: number, leaseMs: number) {
    const due = [...this.#due].filter(([, dueAtMs]) => dueAtMs <= nowMs);
    const taken = due.sort(([runA, dueA], [runB, dueB]) => dueA - dueB || runA - runB).slice(0, limit);
    for (const [run] of taken) this.#due.set(run, nowMs + leaseMs);
    return taken.map(([run]) => ({ key: KEYS[run], record: this.#records.get(run) }));
  }

  list() {
    return [...this.#records].sort(([a], [b]) => a - b).map(([, record]) => record);
  }

  count(nowMs: number) {
    return { records: this.#records.size, due: [...this.#due.values()].filter((at) => at <= nowMs).length };
  }
}

function keyOfRun(run: number): RunKey {
  const key = KEYS[run];
  if (key === undefined) throw new RangeError(`There is no run ${run}`);
  return key;
}

async function listAll(store: RunStore, limit: number) {
  const all = [];
  let after: RunKey | null = null;
  do {
    const page = await store.list(after, limit);
    all.push(...page.records);
    after = page.next;
  } while (after !== null);
  return all;
}

async function perform(operation: Operation, store: RunStore, model: Model): Promise<void> {
  switch (operation.type) {
    case 'swap': {
      const { run, next } = operation;
      const record = next === null ? null : recordDueAt(keyOfRun(run), next.dueAtMs);
      const expected = model.versionFor(run, operation.expected);
      model.swap(run, expected, record, await store.compareAndSwap(keyOfRun(run), expected, record));
      return;
    }
    case 'take': {
      const { nowMs, limit, leaseMs } = operation;
      const expected = model.takeDue(nowMs, limit, leaseMs);
      expect(await store.takeDue(nowMs, limit, leaseMs)).toEqual(expected);
      return;
    }
    case 'load':
      expect(await store.load(keyOfRun(operation.run))).toEqual(model.load(operation.run));
      return;
    case 'list':
      expect(await listAll(store, operation.limit)).toEqual(model.list());
      return;
    case 'count':
      expect(await store.count(operation.nowMs)).toEqual(model.count(operation.nowMs));
      return;
    case 'reopen':
      return;
  }
}

async function replay(data: StoreData, script: readonly (readonly [Operation, number])[]): Promise<void> {
  const stores = [await data.open(), await data.open()];
  const model = new Model();
  for (const [operation, at] of script) {
    if (operation.type === 'reopen') {
      await stores[at]?.close();
      stores[at] = await data.open();
    }
    const store = stores[at];
    if (store === undefined) throw new RangeError(`There is no store ${at}`);
    await perform(operation, store, model);
  }
  expect(await listAll(stores[0] ?? (await data.open()), 3)).toEqual(model.list());
}

describe.each(storeHarnesses)('RunStore against a model: $name', ({ create }) => {
  test('any sequence of operations on two stores gives what the model gives', async () => {
    await fc.assert(
      fc.asyncProperty(operations, async (script) => {
        const data = await create();
        try {
          await replay(data, script);
        } finally {
          await data.dispose();
        }
      }),
      { numRuns: 60 },
    );
  });
});

test('the keys are in the order of their bytes', () => {
  const bytes = KEYS.map((key) => Buffer.from(formatRunKey(key).replace('/', '\u001f')));
  expect(bytes).toEqual([...bytes].sort(Buffer.compare));
});
