import type { AirflowApi } from '../../support/airflow/api/api.ts';
import type { FaultAction } from '../../support/airflow/api/faults.ts';
import type { AirflowRequest, AirflowResponse } from '../../support/airflow/api/messages.ts';
import type { AirflowModel } from '../../support/airflow/model/model.ts';
import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';
import type { Journal } from '../journal.ts';
import type { Weather } from '../scenario/weather.ts';
import { type Meaning, meaningOf, sightOf } from './airflow-request.ts';
import type { Life } from './life.ts';
import { type Outages, sleep } from './outages.ts';

export interface AirflowLinkDeps {
  readonly api: AirflowApi;
  readonly model: AirflowModel;
  readonly life: Life;
  readonly timers: Timers;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly weather: () => Weather['airflow'];
  readonly outages: Outages;
  /** A number for the next request. */
  readonly nextRequest: () => number;
}

/** A request reaches Airflow at most so long after it was sent, even if its sender no longer waits for it. */
const MAX_WAY_MS = 20_000;

/**
 * One replica's way to Airflow. What was sent takes effect whatever becomes of the sender, at once or after a while;
 * answers come back late or not at all.
 */
export function createAirflowLink(deps: AirflowLinkDeps): Pick<AirflowApi, 'handle'> {
  const { life, dice, weather, outages } = deps;
  return {
    handle: (request) =>
      life.through('airflow.request', async () => {
        const isRefused = dice.chance(outages.isOut() ? 0.6 : weather().refused);
        if (isRefused) throw new ConnectionRefusedError();
        return await carry(deps, request);
      }),
  };
}

async function carry(deps: AirflowLinkDeps, request: AirflowRequest): Promise<AirflowResponse> {
  const { journal, life, timers } = deps;
  const meaning = meaningOf(request);
  const number = deps.nextRequest();
  const { key } = meaning;
  if (meaning.type === 'clear' && key !== null)
    journal.tell({ type: 'clear_sent', by: life.name, key, request: number });
  const fault = drawFault(deps, meaning);
  await sleep(timers, wayMs(deps, MAX_WAY_MS));
  const response = await serve(deps, request, meaning, number, fault);
  const backMs = wayMs(deps, 30_000);
  if (backMs > 0) await sleep(timers, backMs);
  if (key !== null && sightOf(response) !== null && life.isAlive()) {
    journal.tell({ type: 'seen', by: life.name, key, request: number });
  }
  const { dagId } = meaning;
  if (dagId !== null && !response.body.includes('"tags"')) journal.tell({ type: 'tags_hidden', by: life.name, dagId });
  return response;
}

/** The moment at which Airflow looks at the request, or at which it gets lost. */
function serve(
  deps: AirflowLinkDeps,
  request: AirflowRequest,
  { type, key }: Meaning,
  number: number,
  fault: FaultAction | null,
): Promise<AirflowResponse> {
  const { api, model, journal, life } = deps;
  const clearsBefore = key === null ? 0 : model.clearsOf(key).length;
  const removeFault = fault === null ? () => {} : api.faults.add({ action: fault });
  if (fault !== null) {
    journal.count(
      `airflow: ${fault.type}${fault.type === 'status' ? ` ${fault.status}` : ''} ${fault.when ?? ''}`.trim(),
    );
  }
  // Up to its first wait this runs at once: what it does is done when it returns.
  const answer = api.handle(request);
  removeFault();
  if (key === null || type === 'other') return answer;
  if (type === 'clear') {
    const clear = model.clearsOf(key).slice(clearsBefore).at(-1) ?? null;
    journal.tell({ type: 'clear_over', by: life.name, key, request: number, clear });
  }
  return answer.then((response) => {
    const sight = sightOf(response);
    if (sight !== null) journal.tell({ type: 'shown', by: life.name, key, request: number, sight });
    return response;
  });
}

function wayMs({ dice, weather }: AirflowLinkDeps, maxMs: number): number {
  if (dice.chance(weather().slow)) return dice.whole(100, dice.pick([2_000, maxMs]));
  return dice.chance(0.4) ? dice.whole(1, 300) : 0;
}

/** A proxy's refusals and failures come before Airflow sees the request; answers break before and after. */
function drawFault({ dice, weather, outages }: AirflowLinkDeps, { type }: Meaning): FaultAction | null {
  if (!outages.isOut() && !dice.chance(weather().faulty)) return null;
  // One that will never be accepted ends the run's retries: often enough to be seen.
  if (type === 'clear' && dice.chance(0.15)) {
    return { type: 'status', status: dice.pick([400, 405, 422]), when: 'before' };
  }
  const when = dice.pick(['before', 'after'] as const);
  const drawn = dice.whole(0, 11);
  if (drawn < 3) return { type: 'status', status: dice.pick([500, 502, 503, 504]), when };
  if (drawn < 5) return { type: 'reset', when };
  if (drawn < 7) return { type: 'hang', when };
  if (drawn === 7) return { type: 'truncated', when };
  if (drawn === 8) return { type: 'html', when: 'before' };
  if (drawn === 9) return { type: 'empty', when };
  if (drawn === 10) return { type: 'status', status: 429, when: 'before', retryAfter: String(dice.whole(1, 60)) };
  return { type: 'status', status: dice.pick([401, 403, 404, 404, 405, 400]), when: 'before' };
}

class ConnectionRefusedError extends Error {
  readonly code = 'ECONNREFUSED';
  readonly syscall = 'connect';

  constructor() {
    super('connect ECONNREFUSED');
    this.name = 'ConnectionRefusedError';
  }
}
