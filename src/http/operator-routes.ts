import type { Clock } from '../engine/clock.ts';
import type { Desk } from '../engine/desk.ts';
import { bulkRoute } from './bulk.ts';
import { dagRoutes } from './dags.ts';
import { eventStreamRoute } from './event-stream.ts';
import { eventsRoute } from './events.ts';
import { explainRoute } from './explain.ts';
import { operationRoutes } from './operations.ts';
import { policyRoute } from './policy.ts';
import type { Route } from './route.ts';
import { statsRoute } from './stats.ts';
import { type ServiceFacts, type StatusDeps, statusRoute } from './status.ts';

export interface OperatorRoutesDeps {
  readonly desk: Desk;
  readonly clock: Clock;
  readonly facts: ServiceFacts;
  readonly health: StatusDeps['health'];
}

/** Everything that takes an operator's token besides the runs themselves. */
export function operatorRoutes({ desk, clock, facts, health }: OperatorRoutesDeps): Route[] {
  const nowMs = () => clock.nowMs();
  return [
    ...operationRoutes(desk),
    bulkRoute(desk.bulk),
    explainRoute(desk.explainer),
    ...dagRoutes(desk),
    eventsRoute({ events: desk.events, nowMs }),
    eventStreamRoute({ changes: desk.changes, clock, version: facts.version, mode: facts.mode }),
    statsRoute(desk.stats),
    policyRoute(desk.policies),
    statusRoute({ facts, pauses: desk.pauses, health }),
  ];
}
