import type { Environment } from '../config/environment.ts';
import { type HealthCheck, within } from '../http/health.ts';
import type { ServiceFacts, StatusView } from '../http/status.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';

/** A page that waits for this shows nothing meanwhile. */
const HEALTH_TIMEOUT_MS = 3_000;

export function healthChecks(store: Pick<RunStore, 'ping'>, orchestrator: Pick<Orchestrator, 'health'>): HealthCheck[] {
  return [
    {
      name: 'store',
      required: true,
      async run() {
        await store.ping();
        return { ok: true, detail: 'answers' };
      },
    },
    {
      name: 'orchestrator',
      // Its outages are what the service is made to sit out: callbacks are taken all the same.
      required: false,
      async run() {
        const health = await orchestrator.health();
        if (health.type === 'reachable') return { ok: true, detail: `${health.name} ${health.version}` };
        return { ok: false, detail: health.reason };
      },
    },
  ];
}

export async function orchestratorStatus(
  orchestrator: Pick<Orchestrator, 'health'>,
): Promise<StatusView['orchestrator']> {
  const late = { type: 'unavailable', reason: 'timed_out' } as const;
  const health = await within<Awaited<ReturnType<Orchestrator['health']>> | typeof late>(
    HEALTH_TIMEOUT_MS,
    orchestrator.health(),
    late,
  );
  if (health.type === 'unavailable') return { status: 'unavailable', reason: health.reason };
  return { status: 'reachable', name: health.name, version: health.version };
}

/** What stays as it is while the service runs. */
export function factsFrom(
  environment: Environment,
  rest: Pick<ServiceFacts, 'version' | 'storeName' | 'startedAtMs'>,
): ServiceFacts {
  const { DAGAIN_MODE: mode, DAGAIN_PUBLIC_URL: publicUrl = null } = environment;
  return { ...rest, mode, publicUrl };
}
