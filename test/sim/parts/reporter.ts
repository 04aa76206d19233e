import type { RunKey } from '../../../src/core/run-key.ts';
import type { Callback } from '../../support/airflow/model/callbacks.ts';
import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';
import type { Journal } from '../journal.ts';
import type { Weather } from '../scenario/weather.ts';
import type { Fleet } from './fleet.ts';
import { sleep } from './outages.ts';

export interface ReporterDeps {
  readonly fleet: Fleet;
  readonly timers: Timers;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly weather: () => Weather['callbacks'];
}

/** What the Python file in Airflow does: two tries within its budget, then the callback is lost. */
export interface Reporter {
  deliver(callback: Callback): Promise<void>;
  /** Says that some run has succeeded, which is not so, or long ago. */
  stray(key: RunKey): void;
  /** How many deliveries are under way or still to come. */
  pending(): number;
}

const BUDGET_MS = 3_000;
const PAUSE_MS = 200;
/** Copies come at most so late. */
const MAX_LATE_MS = 10 * 60_000;

export function createReporter({ fleet, timers, dice, journal, weather }: ReporterDeps): Reporter {
  let pending = 0;

  /** One request over the network to whichever replica answers at the service's address. */
  async function post(callback: Callback): Promise<number> {
    const { lost } = weather();
    if (dice.chance(lost / 2)) throw new Error('the request got lost');
    if (dice.chance(0.3)) await sleep(timers, dice.whole(1, 1_500));
    const replica = fleet.anyone();
    if (replica === null) throw new Error('connection refused');
    const status = await replica.report(callback);
    if (dice.chance(lost / 2)) throw new Error('the answer got lost');
    return status;
  }

  function inTime(work: Promise<number>, limitMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const cancel = timers.schedule(limitMs, () => reject(new Error('no answer in time')));
      work.then(resolve, reject).finally(cancel);
    });
  }

  async function send(callback: Callback): Promise<boolean> {
    const deadlineMs = timers.nowMs() + BUDGET_MS;
    for (let tries = 0; tries < 2; tries += 1) {
      const leftMs = deadlineMs - timers.nowMs();
      const status = leftMs <= 0 ? 0 : await inTime(post(callback), leftMs).catch(() => 0);
      if (status === 202) return true;
      await sleep(timers, PAUSE_MS);
    }
    return false;
  }

  async function sendAndCount(callback: Callback): Promise<void> {
    pending += 1;
    const isDelivered = await send(callback);
    journal.count(isDelivered ? 'callbacks: delivered' : 'callbacks: given up by the sender');
    pending -= 1;
  }

  function sendLater(callback: Callback, delayMs: number): void {
    pending += 1;
    timers.schedule(delayMs, () => {
      pending -= 1;
      void sendAndCount(callback);
    });
  }

  return {
    stray({ dagId, dagRunId }) {
      journal.count('callbacks: stray successes');
      void sendAndCount({ type: 'run-succeeded', body: { dag_id: dagId, dag_run_id: dagRunId } });
    },
    pending: () => pending,
    async deliver(callback) {
      const { lost, doubled, late } = weather();
      const fate = dice.random();
      if (dice.chance(doubled)) sendLater(callback, dice.whole(0, dice.pick([2_000, 60_000, MAX_LATE_MS])));
      if (fate < lost / 2) journal.count('callbacks: never sent');
      else if (fate < lost / 2 + late) sendLater(callback, dice.whole(1_000, dice.pick([30_000, MAX_LATE_MS])));
      else await sendAndCount(callback);
    },
  };
}
