import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ROOT } from '../docs/generated.ts';
import type { Ran, Settings } from './run.ts';

/** A shell in which `dagain` is a command, as on the machine of whoever is on call. */
export interface Shell {
  /** `end` is looked at with what was printed so far: true sends Ctrl+C. */
  run(command: string, settings: Settings, end?: (out: string) => boolean): Promise<Ran>;
  remove(): void;
}

export function createShell(): Shell {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-shell-'));
  const command = join(folder, 'dagain');
  writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src/main.ts')}' "$@"\n`);
  chmodSync(command, 0o755);
  const path = [folder, process.env['PATH']].join(delimiter);
  return {
    async run(line, settings, end = () => false) {
      const child = spawn('bash', ['-c', line], {
        cwd: folder,
        env: { PATH: path, HOME: folder, ...settings },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      const written = { out: '', err: '' };
      for (const name of ['out', 'err'] as const) {
        child[name === 'out' ? 'stdout' : 'stderr'].setEncoding('utf8').on('data', (text: string) => {
          written[name] += text;
          if (end(written.out) && child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
        });
      }
      const [code, signal] = await once(child, 'close');
      return { code, signal, ...written };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
