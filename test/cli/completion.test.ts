import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { completionScript, SHELLS } from '../../src/cli/tree/completion.ts';
import { COMMANDS } from './commands.ts';
import { dagain } from './run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-completion-'));
  for (const shell of SHELLS) writeFileSync(join(folder, `_dagain.${shell}`), completionScript(shell, COMMANDS));
  writeFileSync(join(folder, 'policy.yaml'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function sh(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, TERM: 'dumb' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
  }
  await once(child, 'close');
  return out;
}

/** What the shell itself offers for the last word of the line. */
const OFFERS = {
  async bash(line: string) {
    const words = line.split(' ').map((word) => `'${word}'`);
    const script = `source ./_dagain.bash; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _dagain; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return await sh('bash', ['--norc', '-c', script]);
  },
  /** On a terminal of its own: zsh completes nowhere else. */
  async zsh(line: string) {
    const script = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT=; autoload -Uz compinit; compinit -u -D; source ./_dagain.zsh; bindkey '^I' list-choices; zstyle ':completion:*' list-prompt ''; zstyle ':completion:*' force-list always; LISTMAX=0; stty cols 200; echo re''ady"
zpty -r -m shell seen '*ready*'
zpty -w -n shell ${JSON.stringify(line)}$'\\t'
sleep 1.5
zpty -r -t shell; while zpty -r -t shell; do :; done
zpty -d shell`;
    return await sh('zsh', ['-f', '-c', script]);
  },
  async fish(line: string) {
    return await sh('fish', ['--no-config', '-c', `source ./_dagain.fish; complete -C ${JSON.stringify(line)}`]);
  },
} as const;

describe.each(SHELLS)('%s', (shell) => {
  const offers = (line: string) => OFFERS[shell](line);

  test.each<[string, string[], string[]]>([
    ['dagain ', ['serve', 'runs', 'dags', 'events', 'completion', 'help'], ['list', '--phase']],
    ['dagain runs ', ['list', 'show', 'retry-now', 'watch'], ['serve', 'check']],
    ['dagain runs re', ['resume', 'retry-now', 'reset'], ['list']],
    ['dagain dags ', ['list', 'pause', 'resume'], ['retry-now']],
    ['dagain runs list --', ['--phase', '--older-than', '--output'], ['--retries', '--comment']],
    ['dagain runs list --phase ', ['waiting', 'gave_up'], ['--dag', 'serve']],
    ['dagain runs grant --', ['--retries', '--comment', '--yes'], ['--window']],
    ['dagain completion ', ['bash', 'zsh', 'fish'], ['serve']],
    ['dagain alerts test ', ['slack', 'pagerduty'], ['serve']],
    ['dagain policy check pol', ['policy.yaml'], ['serve']],
  ])('offers after "%s" what may follow', async (line, wanted, others) => {
    const offered = await offers(line);
    const words = offered.split(/[\s:()]+/);
    for (const word of wanted) expect(words, offered).toContain(word);
    for (const word of others) expect(words).not.toContain(word);
  });

  test('every command is offered below its group', async () => {
    const groups = new Set(COMMANDS.flatMap(({ words }) => (words.includes(' ') ? [words.split(' ')[0] ?? ''] : [])));
    for (const group of groups) {
      const words = (await offers(`dagain ${group} `)).split(/[\s:()]+/);
      const below = COMMANDS.filter((one) => one.words.startsWith(`${group} `)).map((one) => one.words.split(' ')[1]);
      expect(words).toEqual(expect.arrayContaining(below));
    }
  });

  test('is what the command prints', async () => {
    expect(await dagain(['completion', shell])).toEqual({
      code: 0,
      signal: null,
      out: completionScript(shell, COMMANDS),
      err: '',
    });
  });
});
