import type { Request, Response } from 'express';
import type { Log } from '../engine/log.ts';
import { sendJson } from './answer.ts';
import type { Route } from './route.ts';

const DEFAULT_TIMEOUT_MS = 2_000;

export interface HealthCheck {
  readonly name: string;
  /** False: shown, but does not make the service unready. The orchestrator's outage is one that we are made to sit out. */
  readonly required: boolean;
  /** `detail` is shown to anybody. */
  run(): Promise<{ readonly ok: boolean; readonly detail: string }>;
}

export interface HealthDeps {
  readonly checks: readonly HealthCheck[];
  /** True from the moment that the service has been told to stop. */
  readonly isClosing: () => boolean;
  readonly log: Log;
  readonly timeoutMs?: number;
}

interface Finding {
  readonly ok: boolean;
  readonly required: boolean;
  readonly detail: string;
}

/** `/livez`: the process serves. `/readyz`: it can take callbacks. */
export function healthRoutes({ checks, isClosing, log, timeoutMs = DEFAULT_TIMEOUT_MS }: HealthDeps): Route[] {
  const runners = checks.map((check) => ({ name: check.name, run: createRunner(check, timeoutMs, log) }));

  async function ready(_request: Request, response: Response): Promise<void> {
    const findings = await Promise.all(runners.map(async ({ name, run }) => [name, await run()] as const));
    const isReady = !isClosing() && findings.every(([, { ok, required }]) => ok || !required);
    const status = isClosing() ? 'closing' : isReady ? 'ready' : 'unready';
    sendJson(response, isReady ? 200 : 503, { status, checks: Object.fromEntries(findings) });
  }

  return [
    {
      method: 'get',
      path: '/livez',
      access: 'open',
      handle: (_request, response) => sendJson(response, 200, { status: 'live' }),
    },
    { method: 'get', path: '/readyz', access: 'open', handle: ready },
  ];
}

/** Runs one check at a time: probes that come while one hangs share its answer rather than add to the load. */
function createRunner(check: HealthCheck, timeoutMs: number, log: Log): () => Promise<Finding> {
  let running: Promise<Finding> | null = null;
  const { name, required } = check;

  async function runOnce(): Promise<Finding> {
    try {
      return { required, ...(await check.run()) };
    } catch (error) {
      log.warn({ err: error, check: name }, 'a health check failed');
      return { required, ok: false, detail: 'the check failed; the service has logged why' };
    } finally {
      running = null;
    }
  }

  return () => {
    running ??= runOnce();
    return within(timeoutMs, running, { required, ok: false, detail: `no answer within ${timeoutMs} ms` });
  };
}

/** What `promise` resolves to, or `fallback` when that takes longer than `timeoutMs`. */
export function within<T>(timeoutMs: number, promise: Promise<T>, fallback: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(fallback), timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
