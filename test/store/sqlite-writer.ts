import { createSqliteStore } from '../../src/store/sqlite.ts';
import { journalEntry } from '../support/journal-entries.ts';
import { confirmingRecord } from '../support/records.ts';

/**
 * A process of the crash tests: writes runs named `<name>-<number>` into `directory` without end, several at a time,
 * each with an entry of the journal, and prints one line `<run id> <version>` for each write that was acknowledged. Ends by being killed, or with status
 * 1 and the error's code on standard error.
 */
const [directory = '', name = '', writersText = '8'] = process.argv.slice(2);
const store = await createSqliteStore({ directory });
let number = 0;

async function write(): Promise<never> {
  for (;;) {
    const key = { dagId: 'crash', dagRunId: `${name}-${number++}` };
    const version = await store.compareAndSwap(key, 0, confirmingRecord(key), [journalEntry(key)]);
    process.stdout.write(`${key.dagRunId} ${version}\n`);
  }
}

try {
  await Promise.all(Array.from({ length: Number(writersText) }, write));
} catch (error) {
  process.stderr.write(`${error instanceof Error && 'code' in error ? error.code : ''} ${error}\n`);
  process.exitCode = 1;
}
