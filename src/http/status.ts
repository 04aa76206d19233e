import { z } from 'zod';
import type { Pauses } from '../engine/pauses.ts';
import { sendJson } from './answer.ts';
import { isoTime } from './iso-time.ts';
import { PauseView, toPauseView } from './pause-view.ts';
import { readQuery } from './query.ts';
import type { Route } from './route.ts';

/** The service as a whole. */
export const StatusView = z.object({
  version: z.string(),
  mode: z.enum(['active', 'shadow']),
  store: z.enum(['redis', 'sqlite']),
  orchestrator: z.discriminatedUnion('status', [
    z.object({ status: z.literal('reachable'), name: z.string(), version: z.string() }),
    z.object({ status: z.literal('unavailable'), reason: z.string() }),
  ]),
  pauses: z.array(PauseView),
  started_at: z.iso.datetime().nullable(),
  public_url: z.string().nullable(),
});
export type StatusView = z.infer<typeof StatusView>;

/** What does not change while the service runs. */
export interface ServiceFacts {
  readonly version: string;
  readonly mode: StatusView['mode'];
  readonly storeName: StatusView['store'];
  readonly startedAtMs: number;
  readonly publicUrl: string | null;
}

export interface StatusDeps {
  readonly facts: ServiceFacts;
  readonly pauses: Pick<Pauses, 'known'>;
  /** What the orchestrator's health check found. */
  readonly health: () => Promise<StatusView['orchestrator']>;
}

export function statusRoute({ facts, pauses, health }: StatusDeps): Route {
  return {
    method: 'get',
    path: '/v1/status',
    access: 'operator',
    async handle(request, response) {
      readQuery(request.url, []);
      const [orchestrator, paused] = await Promise.all([health(), pauses.known()]);
      const view: StatusView = {
        ...{ version: facts.version, mode: facts.mode, store: facts.storeName },
        orchestrator,
        pauses: paused.map(toPauseView),
        started_at: isoTime(facts.startedAtMs),
        public_url: facts.publicUrl,
      };
      sendJson(response, 200, view);
    },
  };
}
