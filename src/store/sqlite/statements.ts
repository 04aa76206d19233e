import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { MarkName } from '../port.ts';

const Row = z.object({ dag_id: z.string(), dag_run_id: z.string(), version: z.int(), record: z.string() });
const Rows = z.array(Row);
const VersionRow = z.object({ version: z.int() });
const MarkRow = z.object({ at_ms: z.int() });
const DigestRow = z.object({ digest: z.string() });
const Counts = z.object({ records: z.int(), due: z.int() });

/** A stored run as it is in the file. */
export type StoredRow = z.infer<typeof Row>;

/** The SQL of the store. Nothing here opens a transaction. */
export interface Statements {
  find(key: RunKey): StoredRow | null;
  insert(key: RunKey, version: number, dueMs: number | null, record: string): void;
  update(key: RunKey, version: number, dueMs: number | null, record: string): void;
  remove(key: RunKey): void;
  nextVersion(): number;
  due(nowMs: number, limit: number): readonly StoredRow[];
  lease(row: StoredRow, untilMs: number): void;
  page(after: RunKey | null, limit: number): readonly StoredRow[];
  count(nowMs: number): { readonly records: number; readonly due: number };
  mark(name: MarkName): number | null;
  /** Never back. */
  advanceMark(name: MarkName, toMs: number): number;
  /** False where the mark is not at `fromMs` or later. */
  advanceMarkFrom(name: MarkName, fromMs: number, toMs: number): boolean;
  /** Forgets the webhook ids that have expired by `nowMs`. */
  forgetIds(nowMs: number): void;
  /** The digest that is kept under a webhook id: `digest`, unless there was one. */
  keepId(id: string, digest: string, expiresMs: number): string;
  /** Writes without changing anything. */
  touch(): void;
}

export function prepareStatements(database: DatabaseSync): Statements {
  const columns = 'dag_id, dag_run_id, version, record';
  const find = database.prepare(`SELECT ${columns} FROM runs WHERE dag_id = ? AND dag_run_id = ?`);
  const insert = database.prepare(
    'INSERT INTO runs (version, due_ms, record, dag_id, dag_run_id) VALUES (?, ?, ?, ?, ?)',
  );
  const update = database.prepare(
    'UPDATE runs SET version = ?, due_ms = ?, record = ? WHERE dag_id = ? AND dag_run_id = ?',
  );
  const remove = database.prepare('DELETE FROM runs WHERE dag_id = ? AND dag_run_id = ?');
  // In microseconds of the clock, so that versions never go back where an older file, or none, takes this one's place.
  const next = database.prepare(
    "UPDATE sequence SET version = max(version + 1, CAST(unixepoch('subsec') * 1000000 AS INTEGER)) RETURNING version",
  );
  const touch = database.prepare('UPDATE sequence SET version = version');
  const due = database.prepare(
    `SELECT ${columns} FROM runs WHERE due_ms <= ? ORDER BY due_ms, dag_id, dag_run_id LIMIT ?`,
  );
  const lease = database.prepare('UPDATE runs SET due_ms = ? WHERE dag_id = ? AND dag_run_id = ?');
  const first = database.prepare(`SELECT ${columns} FROM runs ORDER BY dag_id, dag_run_id LIMIT ?`);
  const following = database.prepare(
    `SELECT ${columns} FROM runs WHERE (dag_id, dag_run_id) > (?, ?) ORDER BY dag_id, dag_run_id LIMIT ?`,
  );
  const count = database.prepare('SELECT count(*) AS records, count(*) FILTER (WHERE due_ms <= ?) AS due FROM runs');
  const mark = database.prepare('SELECT at_ms FROM marks WHERE name = ?');
  const advance = database.prepare(
    'INSERT INTO marks (name, at_ms) VALUES (?, ?) ON CONFLICT DO UPDATE SET at_ms = max(at_ms, excluded.at_ms) RETURNING at_ms',
  );
  const advanceFrom = database.prepare('UPDATE marks SET at_ms = max(at_ms, ?) WHERE name = ? AND at_ms >= ?');
  const forget = database.prepare('DELETE FROM webhook_ids WHERE expires_ms <= ?');
  const keep = database.prepare(
    'INSERT INTO webhook_ids (id, digest, expires_ms) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET id = id RETURNING digest',
  );
  return {
    find: ({ dagId, dagRunId }) => Row.optional().parse(find.get(dagId, dagRunId)) ?? null,
    insert: (key, version, dueMs, record) => void insert.run(version, dueMs, record, key.dagId, key.dagRunId),
    update: (key, version, dueMs, record) => void update.run(version, dueMs, record, key.dagId, key.dagRunId),
    remove: ({ dagId, dagRunId }) => void remove.run(dagId, dagRunId),
    nextVersion: () => VersionRow.parse(next.get()).version,
    due: (nowMs, limit) => Rows.parse(due.all(nowMs, limit)),
    lease: (row, untilMs) => void lease.run(untilMs, row.dag_id, row.dag_run_id),
    page: (after, limit) =>
      Rows.parse(after === null ? first.all(limit) : following.all(after.dagId, after.dagRunId, limit)),
    count: (nowMs) => Counts.parse(count.get(nowMs)),
    mark: (name) => MarkRow.optional().parse(mark.get(name))?.at_ms ?? null,
    advanceMark: (name, toMs) => MarkRow.parse(advance.get(name, Math.floor(toMs))).at_ms,
    advanceMarkFrom: (name, fromMs, toMs) => advanceFrom.run(Math.floor(toMs), name, fromMs).changes === 1,
    forgetIds: (nowMs) => void forget.run(nowMs),
    keepId: (id, digest, expiresMs) => DigestRow.parse(keep.get(id, digest, expiresMs)).digest,
    touch: () => void touch.run(),
  };
}
