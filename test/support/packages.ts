import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Commands that tests run, and the package of Debian that brings each. */
const PACKAGES = {
  'redis-server': 'redis-server',
  zsh: 'zsh',
  fish: 'fish',
  script: 'bsdutils',
  curl: 'curl',
} as const;
export type Command = keyof typeof PACKAGES;

/** Installs those of the commands that are missing, where that can be done: on Debian, as root. */
export function installMissing(commands: readonly Command[]): void {
  const missing = commands.filter((command) => !isInstalled(command));
  if (missing.length === 0 || process.getuid?.() !== 0 || !isDebian()) return;
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', ...missing.map((command) => PACKAGES[command])]]) {
    spawnSync('apt-get', args, { stdio: 'ignore', env: environment });
  }
}

export function isInstalled(command: Command): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;
}

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}
