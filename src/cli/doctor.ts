import { DagainError } from '../core/errors.ts';
import type { Check, Finding } from '../core/finding.ts';
import { fail } from '../core/finding.ts';
import type { ExitCode, Terminal } from './command.ts';
import { jsonText } from './parameters.ts';

/** Longest that one check may take, in milliseconds: a login at a cloud, and what comes after it. */
export const CHECK_TIMEOUT_MS = 40_000;

export interface Doctor {
  readonly checks: readonly Check[];
  readonly asJson: boolean;
  readonly terminal: Terminal;
  readonly timeoutMs?: number;
}

type Row = Finding & { readonly name: string };

/** Runs all checks at once and prints what each found. 0: nothing failed, warnings or not. 1: something did. */
export async function runDoctor({ checks, asJson, terminal, timeoutMs = CHECK_TIMEOUT_MS }: Doctor): Promise<ExitCode> {
  const rows = await Promise.all(
    checks.map(async (check) => ({ name: check.name, ...(await runOne(check, timeoutMs)) })),
  );
  terminal.out(asJson ? jsonText(viewOf(rows)) : tableOf(rows));
  return rows.some(({ result }) => result === 'fail') ? 1 : 0;
}

/** One check's finding, whatever happens to it: none hides the others. */
function runOne(check: Check, timeoutMs: number): Promise<Finding> {
  return new Promise((resolve) => {
    const late = fail(
      `no answer within ${timeoutMs / 1_000} s`,
      'Check that what it asks is up and can be reached from here.',
    );
    const timer = setTimeout(() => resolve(late), timeoutMs);
    Promise.resolve()
      .then(() => check.run())
      .then(resolve, (error: unknown) => resolve(surprise(error)))
      .finally(() => clearTimeout(timer));
  });
}

/** Only our own errors are known to hold no secret. */
function surprise(error: unknown): Finding {
  const said = error instanceof DagainError ? error.message : `the check broke (${nameOf(error)})`;
  return fail(said, 'See what the service logs about it, and report it if that does not explain it.');
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

const count = (rows: readonly Row[], wanted: Finding['result']) =>
  rows.filter(({ result }) => result === wanted).length;

function viewOf(rows: readonly Row[]): object {
  const checks = rows.map((row) => {
    const { name, result, found } = row;
    return { check: name, result, found, remedy: row.result === 'ok' ? null : row.remedy };
  });
  return { ok: count(rows, 'ok'), warnings: count(rows, 'warn'), failures: count(rows, 'fail'), checks };
}

function tableOf(rows: readonly Row[]): string {
  const width = Math.max('check'.length, ...rows.map(({ name }) => name.length)) + 2;
  const line = (name: string, result: string, text: string) => `${name.padEnd(width)}${result.padEnd(8)}${text}\n`;
  const lines = rows.flatMap((row) => [
    line(row.name, row.result, printable(row.found)),
    ...(row.result === 'ok' ? [] : [line('', '', `-> ${printable(row.remedy)}`)]),
  ]);
  const counts = `${count(rows, 'ok')} ok, ${count(rows, 'warn')} to look at, ${count(rows, 'fail')} failed`;
  return `${line('check', 'result', 'found')}${lines.join('')}\n${counts}\n`;
}

/** What others have said must not move the cursor or colour the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, ' ');
}
