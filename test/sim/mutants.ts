import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { MUTANTS, type Mutant } from './mutants/list.ts';

// npm run sim:mutants -- [--seeds 2000] [--only text]: puts one fault after the other into a copy of the sources, and
// says which seed of the simulation notices it.

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '2000' }, only: { type: 'string', default: '' } },
});
const ROOT = resolve(import.meta.dirname, '../..');

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A copy of what the simulation runs on. */
function copySources(): string {
  const copy = mkdtempSync(join(tmpdir(), 'dagain-mutant-'));
  for (const part of ['src', 'test/sim', 'test/support', 'package.json']) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

function apply({ name, patches }: Mutant, copy: string): void {
  for (const { file, search, replace } of patches) {
    const path = join(copy, 'src', file);
    const text = readFileSync(path, 'utf8');
    const found = text.split(search).length - 1;
    if (found !== 1) throw new Error(`${name}: ${file} holds ${found} times what is to be replaced: ${search}`);
    writeFileSync(
      path,
      text.replace(search, () => replace),
    );
  }
}

/** The first line of the simulation that names a failing seed, null if there is none. */
function firstFailure(copy: string): Promise<string | null> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ['test/sim/run.ts', '--seeds', values.seeds, '--stop'], { cwd: copy });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      output += String(chunk);
    });
    child.on('error', fail);
    child.on('close', (status) => {
      const line = /^seed \d+: .*$/m.exec(output)?.[0] ?? null;
      if (status !== 0 && line === null) fail(new Error(`the simulation itself failed: ${output.slice(-2_000)}`));
      else done(line);
    });
  });
}

async function judge(mutant: Mutant): Promise<boolean> {
  const copy = copySources();
  const startedAt = performance.now();
  try {
    apply(mutant, copy);
    const failure = await firstFailure(copy);
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
    say(`| ${mutant.name} | ${failure === null ? '**SURVIVED**' : failure} | ${seconds} s |`);
    return failure !== null;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const chosen = MUTANTS.filter(({ name }) => name.includes(values.only));
if (chosen.length === 0) throw new Error(`no fault has "${values.only}" in its name`);
say('| fault | noticed by | after |\n|---|---|---|');
let survivors = 0;
for (const mutant of chosen) {
  if (!(await judge(mutant))) survivors += 1;
}
say(survivors === 0 ? 'All are noticed.' : `${survivors} survived.`);
process.exitCode = survivors === 0 ? 0 : 1;
