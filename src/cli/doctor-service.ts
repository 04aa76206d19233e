import { z } from 'zod';
import { type Check, fail, ok } from '../core/finding.ts';

const TIMEOUT_MS = 5_000;
const EVERYWHERE = new Set(['0.0.0.0', '::']);

const Readiness = z.object({
  status: z.enum(['ready', 'unready', 'closing']),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
});

/** How a service does that runs under these settings, if one does. */
export function serviceCheck(host: string, port: number): Check {
  return {
    name: 'service',
    async run() {
      if (port === 0) return ok('not looked for: DAGAIN_PORT is 0');
      const name = EVERYWHERE.has(host) ? '127.0.0.1' : host;
      const at = `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
      let answer: Response;
      try {
        answer = await fetch(`${at}/readyz`, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
      } catch (error) {
        if (isRefused(error)) return ok(`none runs at ${at} yet`);
        return fail(`${at} does not answer`, 'Something holds the port: look what, or restart the service.');
      }
      const told = Readiness.safeParse(await answer.json().catch(() => null));
      if (!told.success)
        return fail(`what answers at ${at} is not dagain`, 'Set another DAGAIN_PORT, or stop what uses this one.');
      const { status, checks } = told.data;
      const troubles = Object.entries(checks).flatMap(([check, one]) => (one.ok ? [] : [`${check}: ${one.detail}`]));
      if (troubles.length === 0 && status === 'ready') return ok(`ready at ${at}`);
      return fail(
        `${status} at ${at} (${troubles.join('; ')})`,
        'Do what is said about the other checks, and look into its log.',
      );
    },
  };
}

/** Nobody listens, which is how it is before the first start. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : null;
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}
