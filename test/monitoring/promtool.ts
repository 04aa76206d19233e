import { spawnSync } from 'node:child_process';

/** Runs Prometheus' own checks. @throws Error where `promtool` is not installed */
export function promtool(
  args: readonly string[],
  input = '',
): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { encoding: 'utf8', input });
  if (error !== undefined) {
    throw new Error('These tests need promtool: install it (Debian: apt-get install prometheus)', { cause: error });
  }
  return { status, output: `${stdout}${stderr}` };
}
