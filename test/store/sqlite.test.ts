import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { JOURNAL_MAX_AGE_MS, JOURNAL_MAX_ENTRIES, type RunStore } from '../../src/store/port.ts';
import { openDatabase, SCHEMA_VERSION } from '../../src/store/sqlite/database.ts';
import { openDatabaseFile } from '../../src/store/sqlite/database-file.ts';
import { fileSystemWarnings } from '../../src/store/sqlite/setup-warnings.ts';
import { createSqliteStore } from '../../src/store/sqlite.ts';
import { journalEntry } from '../support/journal-entries.ts';
import { confirmingRecord, RUN, recordDueAt } from '../support/records.ts';

const NOW_MS = 1_800_000_000_000;

let directory: string;
const opened: RunStore[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dagain-sqlite-test-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  rmSync(directory, { recursive: true, force: true });
});

async function open(where = directory): Promise<RunStore> {
  const store = await createSqliteStore({ directory: where });
  opened.push(store);
  return store;
}

const file = () => join(directory, 'dagain.db');

/** Works on the file behind the store's back. */
function withFile<T>(work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(file());
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function runAt(number: number) {
  return { dagId: 'dag', dagRunId: `run-${number}` };
}

describe('the journal in the file', () => {
  const ids = () => withFile((database) => database.prepare('SELECT id FROM journal ORDER BY id').all());
  const add = (id: number, atMs: number) =>
    withFile((database) => database.prepare("INSERT INTO journal VALUES (?, ?, NULL, NULL, '{}')").run(id, atMs));

  test('keeps so many entries and no more', async () => {
    const store = await open();
    for (const id of [1, 2, 3, JOURNAL_MAX_ENTRIES, 2 * JOURNAL_MAX_ENTRIES - 51]) add(id, NOW_MS);
    for (let number = 0; number < 101; number += 1) {
      const key = { ...RUN, dagRunId: `run-${number}` };
      await store.compareAndSwap(key, 0, confirmingRecord(key), [journalEntry({ atMs: NOW_MS })]);
    }
    const kept = ids().map(({ id }) => Number(id));
    expect(Math.max(...kept) - Math.min(...kept)).toBeLessThan(JOURNAL_MAX_ENTRIES);
    expect(kept).toHaveLength(102);
  });

  test('tells from when on it is whole, once it has dropped entries to stay short', async () => {
    const store = await open();
    add(1, NOW_MS - 9_000);
    add(51, NOW_MS - 7_000);
    add(JOURNAL_MAX_ENTRIES - 1, NOW_MS - 1_000);
    expect(await store.journalBegins()).toBeNull();
    await store.compareAndSwap(RUN, 0, confirmingRecord(), [journalEntry({ atMs: NOW_MS })]);
    expect(ids()[0]).toEqual({ id: 51 });
    expect(await store.journalBegins()).toBe(NOW_MS - 7_000);
  });

  test('is whole where it has dropped only what was too old', async () => {
    const store = await open();
    add(1, NOW_MS - JOURNAL_MAX_AGE_MS - 1);
    add(49, NOW_MS - 1_000);
    await store.compareAndSwap(RUN, 0, confirmingRecord(), [journalEntry({ atMs: NOW_MS })]);
    expect(ids()[0]).toEqual({ id: 49 });
    expect(await store.journalBegins()).toBeNull();
  });

  test('drops what is too old, some hundreds at a time', async () => {
    const store = await open();
    for (let id = 1; id <= 520; id += 1) add(id, NOW_MS - JOURNAL_MAX_AGE_MS - 1);
    add(549, NOW_MS - JOURNAL_MAX_AGE_MS);
    await store.compareAndSwap(RUN, 0, confirmingRecord(), [journalEntry({ atMs: NOW_MS })]);
    expect(ids()).toHaveLength(22);
    add(599, NOW_MS);
    const key = { ...RUN, dagRunId: 'other' };
    await store.compareAndSwap(key, 0, confirmingRecord(key), [journalEntry({ atMs: NOW_MS })]);
    expect(ids()).toEqual([{ id: 549 }, { id: 550 }, { id: 599 }, { id: 600 }]);
  });
});

describe('a process that is killed', () => {
  /** Starts a writer; `acknowledged` grows with each line that it prints. */
  function startWriter(name: string, shell?: string) {
    const script = join(import.meta.dirname, 'sqlite-writer.ts');
    const command = [process.execPath, script, directory, name];
    const child =
      shell === undefined ? spawn(command[0] ?? '', command.slice(1)) : spawn('sh', ['-c', shell, 'sh', ...command]);
    const acknowledged = new Map<string, number>();
    let errors = '';
    child.stderr.on('data', (bytes) => {
      errors += String(bytes);
    });
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const [dagRunId = '', version] = line.split(' ');
      acknowledged.set(dagRunId, Number(version));
    });
    const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]);
    return {
      child,
      acknowledged,
      ended,
      errors: () => errors,
      enough: (count: number) => untilSize(acknowledged, lines, count),
    };
  }

  async function untilSize(acknowledged: Map<string, number>, lines: NodeJS.EventEmitter, count: number) {
    while (acknowledged.size < count) await once(lines, 'line');
  }

  test('every acknowledged write is there after kill -9, in each of several rounds', async () => {
    const all = new Map<string, number>();
    for (const [round, count] of [1, 40, 300, 700].entries()) {
      const writer = startWriter(`round${round}`);
      await writer.enough(count);
      writer.child.kill('SIGKILL');
      await writer.ended;
      for (const [dagRunId, version] of writer.acknowledged) all.set(dagRunId, version);
      const store = await open();
      for (const [dagRunId, version] of all) {
        expect((await store.load({ dagId: 'crash', dagRunId }))?.version, dagRunId).toBe(version);
      }
      await store.close();
      // Neither is ever there without the other, also of what was not acknowledged.
      const namesIn = (table: string) =>
        withFile((database) => database.prepare(`SELECT dag_run_id FROM ${table} ORDER BY dag_run_id`).all());
      expect(namesIn('journal')).toEqual(namesIn('runs'));
    }
    expect(new Set(all.values()).size).toBe(all.size);
  });

  test('two processes on one file, killed at different times: nothing is lost, no version is given twice', async () => {
    const writers = [startWriter('first'), startWriter('second')];
    await Promise.all(writers.map((writer) => writer.enough(200)));
    writers[0]?.child.kill('SIGKILL');
    await writers[0]?.ended;
    await writers[1]?.enough((writers[1]?.acknowledged.size ?? 0) + 200);
    writers[1]?.child.kill('SIGKILL');
    await writers[1]?.ended;
    const store = await open();
    const versions: number[] = [];
    for (const writer of writers) {
      for (const [dagRunId, version] of writer.acknowledged) {
        expect((await store.load({ dagId: 'crash', dagRunId }))?.version, dagRunId).toBe(version);
        versions.push(version);
      }
    }
    expect(new Set(versions).size).toBe(versions.length);
  });

  test('a disk that takes no more: the write rejects, and all that was acknowledged is there', async () => {
    // A limit on file sizes, in units of 512 bytes, stands for the full disk; it needs no privileges.
    const writer = startWriter('full', 'ulimit -f 2000; exec "$@"');
    await writer.ended;
    expect(writer.child.exitCode).toBe(1);
    expect(writer.errors()).toMatch(/^store_unavailable .*dagain\.db cannot (grow|be read or written)/);
    expect(writer.acknowledged.size).toBeGreaterThan(0);
    const store = await open();
    for (const [dagRunId, version] of writer.acknowledged) {
      expect((await store.load({ dagId: 'crash', dagRunId }))?.version, dagRunId).toBe(version);
    }
    await store.compareAndSwap(RUN, 0, confirmingRecord());
  });

  test('a process that finds another one creating the tables waits for it and uses them', async () => {
    await (await open(join(directory, 'reference'))).close();
    const reference = new DatabaseSync(join(directory, 'reference', 'dagain.db'), { readOnly: true });
    const tables = reference.prepare('SELECT sql FROM sqlite_master WHERE sql IS NOT NULL').all();
    reference.close();
    const creating = new DatabaseSync(file());
    creating.exec('PRAGMA journal_mode = WAL; BEGIN IMMEDIATE');
    const module = JSON.stringify(join(import.meta.dirname, '../../src/store/sqlite.ts'));
    const code = `const { createSqliteStore } = await import(${module});
      console.log('opening');
      await (await createSqliteStore({ directory: ${JSON.stringify(directory)} })).ping();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    await once(createInterface({ input: child.stdout }), 'line');
    // It must work however far the other process has got; by now it waits for the lock.
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const { sql } of tables) creating.exec(String(sql));
    creating.exec(`INSERT INTO sequence VALUES (1, 0); PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
    creating.close();
    expect(await ended).toEqual([0, null]);
  });

  test('several processes that open a new file at once all succeed', async () => {
    const writers = Array.from({ length: 5 }, (_, at) => startWriter(`opener${at}`));
    await Promise.all(writers.map((writer) => writer.enough(1)));
    for (const writer of writers) writer.child.kill('SIGKILL');
    await Promise.all(writers.map((writer) => writer.ended));
    for (const writer of writers) expect(writer.errors()).toBe('');
  });
});

describe('group commit', () => {
  /**
   * How many transactions the log holds: the last frame of each one, and no other, carries the database's size
   * (https://sqlite.org/fileformat2.html#the_write_ahead_log).
   */
  function commitsIn(): number {
    const log = readFileSync(`${file()}-wal`);
    const frameBytes = 24 + log.readUInt32BE(8);
    let commits = 0;
    for (let at = 32; at + frameBytes <= log.length; at += frameBytes) {
      // Frames with another salt are left over from before the log was last begun anew.
      const isCurrent = log.compare(log, 16, 24, at + 8, at + 16) === 0;
      if (isCurrent && log.readUInt32BE(at + 4) > 0) commits += 1;
    }
    return commits;
  }

  test('writes of one turn share one transaction', async () => {
    const store = await open();
    const before = commitsIn();
    await Promise.all(
      Array.from({ length: 100 }, (_, at) => store.compareAndSwap(runAt(at), 0, recordDueAt(runAt(at), NOW_MS))),
    );
    expect(commitsIn() - before).toBe(1);
    for (let at = 100; at < 110; at += 1) await store.compareAndSwap(runAt(at), 0, recordDueAt(runAt(at), NOW_MS));
    expect(commitsIn() - before).toBe(11);
  });

  test('a burst is cut into transactions of a bounded size', async () => {
    const store = await open();
    const before = commitsIn();
    await Promise.all(
      Array.from({ length: 1_000 }, (_, at) => store.compareAndSwap(runAt(at), 0, recordDueAt(runAt(at), NOW_MS))),
    );
    expect(commitsIn() - before).toBe(5);
  });

  test('a transaction that fails rejects all of its writes and leaves nothing behind', async () => {
    const store = await open();
    await store.compareAndSwap(RUN, 0, confirmingRecord());
    // The last write of the batch hits this.
    withFile((database) =>
      database.exec(`CREATE TRIGGER fail BEFORE INSERT ON runs WHEN NEW.dag_run_id = 'run-9'
                     BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END`),
    );
    const writes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, at) => store.compareAndSwap(runAt(at), 0, recordDueAt(runAt(at), NOW_MS))),
    );
    for (const write of writes) {
      expect(write).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
    }
    expect(await store.count(NOW_MS)).toMatchObject({ records: 1 });
    withFile((database) => database.exec('DROP TRIGGER fail'));
    expect(await store.compareAndSwap(runAt(9), 0, recordDueAt(runAt(9), NOW_MS))).not.toBeNull();
  });

  test('a conflict inside a transaction does not disturb the other writes of it', async () => {
    const store = await open();
    const version = await store.compareAndSwap(RUN, 0, confirmingRecord());
    const [first, second, other] = await Promise.all([
      store.compareAndSwap(RUN, version ?? 0, confirmingRecord({ checks: 1 })),
      store.compareAndSwap(RUN, version ?? 0, confirmingRecord({ checks: 2 })),
      store.compareAndSwap(runAt(1), 0, recordDueAt(runAt(1), NOW_MS)),
    ]);
    expect([first, second, other].map((result) => result !== null)).toEqual([true, false, true]);
    expect((await store.load(RUN))?.value).toMatchObject({ checks: 1 });
  });

  test('what is not committed cannot be read', async () => {
    const store = await open();
    const writing = store.compareAndSwap(RUN, 0, confirmingRecord());
    expect(await store.load(RUN)).toBeNull();
    await writing;
    expect(await store.load(RUN)).not.toBeNull();
  });
});

describe('the file', () => {
  test('a new directory and file are for their owner only', async () => {
    const where = join(directory, 'new', 'data');
    await open(where);
    expect(statSync(where).mode & 0o777).toBe(0o700);
    expect(statSync(join(where, 'dagain.db')).mode & 0o077).toBe(0);
    expect(statSync(join(where, 'dagain.db-wal')).mode & 0o077).toBe(0);
  });

  test('every commit waits for the disk', () => {
    const database = openDatabase(directory);
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    database.close();
  });

  test('closing moves the log into the file', async () => {
    const store = await open();
    await store.compareAndSwap(RUN, 0, confirmingRecord());
    expect(existsSync(`${file()}-wal`)).toBe(true);
    await store.close();
    expect(existsSync(`${file()}-wal`)).toBe(false);
    expect(withFile((database) => database.prepare('SELECT count(*) AS n FROM runs').get())).toMatchObject({ n: 1 });
  });

  test('one of the first release gets what it lacks, and keeps its runs', async () => {
    const store = await open();
    await store.compareAndSwap(RUN, 0, confirmingRecord());
    await store.close();
    const later = ['marks', 'webhook_ids', 'journal', 'pauses'];
    const drop = later.map((table) => `DROP TABLE ${table};`).join('');
    withFile((database) => database.exec(`${drop} PRAGMA user_version = 1`));
    const upgraded = await open();
    expect((await upgraded.load(RUN))?.value).toEqual(confirmingRecord());
    expect(await upgraded.advanceMark('watched', 5)).toBe(5);
    expect(await upgraded.readJournal({ before: null, limit: 1 })).toEqual({ entries: [], next: null });
    expect(await upgraded.pauses()).toEqual([]);
    expect(withFile((database) => database.prepare('PRAGMA user_version').get())).toEqual({
      user_version: SCHEMA_VERSION,
    });
  });

  test('one of a newer release is refused and left as it is', async () => {
    await (await open()).close();
    withFile((database) => database.exec('PRAGMA user_version = 99; PRAGMA journal_mode = DELETE'));
    const before = readFileSync(file());
    await expect(open()).rejects.toMatchObject({
      code: 'store_unsupported',
      message: expect.stringMatching(/dagain\.db.*schema 99.*run that release/s),
    });
    expect(readFileSync(file()).equals(before)).toBe(true);
  });

  test('one that is no database is refused and left as it is', async () => {
    writeFileSync(file(), 'not a database at all'.repeat(500));
    await expect(open()).rejects.toMatchObject({
      code: 'store_corrupt',
      message: expect.stringMatching(/dagain\.db is not a database: restore a backup or move the file away/),
    });
    expect(readFileSync(file(), 'utf8')).toContain('not a database at all');
  });

  test('one that is damaged inside says so when the damage is met', async () => {
    const store = await open();
    for (let at = 0; at < 50; at += 1) await store.compareAndSwap(runAt(at), 0, recordDueAt(runAt(at), NOW_MS));
    await store.close();
    const bytes = readFileSync(file());
    // The header and the first page, which holds the schema, stay; the rest is noise.
    bytes.fill(0xa5, 4096);
    writeFileSync(file(), bytes);
    const damaged = (async () => (await open()).load(runAt(1)))();
    await expect(damaged).rejects.toMatchObject({
      code: 'store_corrupt',
      message: expect.stringMatching(/damaged.*restore a backup/),
    });
  });

  test('a directory that cannot be made is refused in words', async () => {
    writeFileSync(join(directory, 'taken'), '');
    for (const where of [join(directory, 'taken'), join(directory, 'taken', 'below')]) {
      await expect(open(where)).rejects.toMatchObject({
        code: 'store_unavailable',
        message: expect.stringContaining('DAGAIN_DATA_DIR'),
      });
    }
  });

  test('a file that cannot be opened is refused in words', async () => {
    await open(join(directory, 'dagain.db', 'nested'));
    await expect(open()).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('DAGAIN_DATA_DIR'),
    });
  });

  test('a lock that another process does not give back: writes reject, reads work', async () => {
    const store = await open();
    const version = (await store.compareAndSwap(RUN, 0, confirmingRecord())) ?? 0;
    const other = new DatabaseSync(file());
    other.exec('BEGIN IMMEDIATE');
    await expect(store.compareAndSwap(RUN, version, null)).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('locked by another process'),
    });
    expect(await store.load(RUN)).not.toBeNull();
    other.exec('ROLLBACK');
    other.close();
    expect(await store.compareAndSwap(RUN, version, null)).not.toBeNull();
  });
});

describe('a file that is taken away while it is open', () => {
  const DELETIONS: readonly [name: string, paths: () => readonly string[]][] = [
    ['deleted', () => ['', '-wal', '-shm'].map((suffix) => file() + suffix)],
    ['deleted without its log', () => [file()]],
    ['deleted with its directory', () => [directory]],
  ];
  const remove = (paths: readonly string[]) => {
    for (const path of paths) rmSync(path, { recursive: true });
  };

  test.each(DELETIONS)(
    '%s: what is written from then on is in a new one, which knows nothing else',
    async (_, paths) => {
      const store = await open();
      const lost = await store.compareAndSwap(RUN, 0, confirmingRecord());
      await store.advanceMark('memory_begins', NOW_MS);
      remove(paths());
      expect(await store.compareAndSwap(RUN, lost ?? 0, confirmingRecord({ checks: 1 }))).toBeNull();
      expect(await store.compareAndSwap(runAt(1), 0, confirmingRecord(runAt(1)))).not.toBeNull();
      expect(await store.readMark('memory_begins')).toBeNull();
      expect(statSync(file()).mode & 0o077).toBe(0);
      const restarted = await open();
      expect(await restarted.load(RUN)).toBeNull();
      expect((await restarted.load(runAt(1)))?.value).toEqual(confirmingRecord(runAt(1)));
    },
  );

  test.each(DELETIONS)('%s: all who share it go on in the same new one', async (_, paths) => {
    const stores = [await open(), await open(), await open()];
    for (const [at, store] of stores.entries()) await store.compareAndSwap(runAt(at), 0, confirmingRecord(runAt(at)));
    remove(paths());
    for (const [at, store] of stores.entries())
      expect(await store.compareAndSwap(runAt(10 + at), 0, confirmingRecord(runAt(10 + at)))).not.toBeNull();
    for (const store of [...stores, await open()])
      expect((await store.list(null, 9)).records.map(({ value }) => value.dagRunId)).toEqual([
        'run-10',
        'run-11',
        'run-12',
      ]);
    expect(withFile((database) => database.prepare('PRAGMA integrity_check').get())).toEqual({ integrity_check: 'ok' });
  });

  test('an older one in its place counts, and no version of the newer one fits it', async () => {
    const store = await open();
    const old = await store.compareAndSwap(RUN, 0, confirmingRecord());
    const backup = join(directory, 'backup.db');
    withFile((database) => database.exec(`VACUUM INTO '${backup}'`));
    const latest = await store.compareAndSwap(RUN, old ?? 0, confirmingRecord({ checks: 1 }));
    renameSync(backup, file());
    expect(await store.compareAndSwap(RUN, latest ?? 0, confirmingRecord({ checks: 2 }))).toBeNull();
    expect(await store.load(RUN)).toEqual({ version: old, value: confirmingRecord() });
    expect(await store.compareAndSwap(RUN, old ?? 0, confirmingRecord({ checks: 3 }))).toBeGreaterThan(latest ?? 0);
  });

  test('moved: what stays open does not spoil what others have put in its place', async () => {
    const store = await open();
    await store.compareAndSwap(RUN, 0, confirmingRecord());
    for (const suffix of ['', '-wal', '-shm']) renameSync(file() + suffix, `${file()}.old${suffix}`);
    const other = await open();
    await other.compareAndSwap(runAt(1), 0, confirmingRecord(runAt(1)));
    await store.close();
    expect(existsSync(`${file()}-wal`)).toBe(true);
    expect((await (await open()).load(runAt(1)))?.value).toEqual(confirmingRecord(runAt(1)));
  });

  test('in the middle of a write: nobody is told that it is stored', () => {
    const held = openDatabaseFile(directory);
    const write = (work: () => void) => () =>
      held.transaction(() => {
        held.tables().statements.advanceMark('watched', NOW_MS);
        work();
      });
    expect(write(() => rmSync(file()))).toThrow(expect.objectContaining({ code: 'store_unavailable' }));
    expect(existsSync(file())).toBe(false);
    expect(write(() => {})).not.toThrow();
    expect(withFile((database) => database.prepare('SELECT name FROM marks').all())).toEqual([{ name: 'watched' }]);
    held.close();
  });

  test('and cannot be opened anew: rejects until it can', async () => {
    const where = join(directory, 'data');
    const store = await open(where);
    rmSync(where, { recursive: true });
    writeFileSync(where, 'in the way');
    for (const call of [() => store.compareAndSwap(RUN, 0, confirmingRecord()), () => store.load(RUN)])
      await expect(call()).rejects.toMatchObject({
        code: 'store_unavailable',
        message: expect.stringContaining(where),
      });
    rmSync(where);
    expect(await store.compareAndSwap(RUN, 0, confirmingRecord())).not.toBeNull();
    expect(await store.load(RUN)).not.toBeNull();
  });

  test('who follows the journal is told of what comes after', async () => {
    const store = await open();
    for (let at = 0; at < 3; at += 1)
      await store.compareAndSwap(runAt(at), 0, confirmingRecord(runAt(at)), [journalEntry({ atMs: NOW_MS })]);
    const { head } = await store.readJournalAfter('0', 10);
    remove([file()]);
    await store.compareAndSwap(RUN, 0, confirmingRecord(), [journalEntry({ atMs: NOW_MS + 1 })]);
    const tail = await store.readJournalAfter(head, 10);
    expect(tail.entries.map(({ entry }) => entry.atMs)).toEqual([NOW_MS + 1]);
    expect((await store.readJournalAfter(tail.head, 10)).entries).toEqual([]);
  });
});

describe('warnings', () => {
  test.each([
    ['a local disk', 0xef53, []],
    ['NFS', 0x6969, [/network file system \(NFS\)/]],
    ['CIFS', 0xff534d42, [/network file system \(CIFS\)/]],
    ['tmpfs', 0x01021994, [/in memory/]],
    ['the layer of a container', 0x794c7630, [/mount a volume/]],
  ])('%s', (_name, magic, expected) => {
    const warnings = fileSystemWarnings('/data', magic);
    expect(warnings).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
    for (const warning of warnings) expect(warning).toMatch(/^\/data .*\.$/);
  });

  test('are those of the file system that the directory is on', async () => {
    const store = await open();
    for (const warning of await store.warnings()) expect(warning).toContain(directory);
  });
});
