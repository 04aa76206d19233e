import type { WorkerSettings } from '../../../src/engine/worker.ts';
import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';
import type { Journal } from '../journal.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { type Blow, createLife, type Life } from './life.ts';
import { momentsOf } from './outages.ts';
import type { Replica } from './replica.ts';

export interface FleetDeps {
  readonly scenario: Scenario;
  readonly timers: Timers;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly isTroubled: () => boolean;
  readonly start: StartReplica;
}

export type StartReplica = (slot: number, life: Life, skewMs: number, worker: WorkerSettings) => Replica;

/** The replicas: processes that crash, are restarted, and come back as new ones. */
export interface Fleet {
  /** A replica that may be asked, or null for one that is down: whoever sends to the service's address gets any. */
  anyone(): Replica | null;
  /** The clock of a process, by its name. */
  clockMs(name: string): number;
  /** Stops all processes for good. */
  stopAll(): Promise<void>;
  /** One more process, for when all others have stopped, that only looks around now and then. */
  startCaretaker(): void;
}

interface Slot {
  readonly letter: string;
  starts: number;
  life: Life | null;
  replica: Replica | null;
}

/** A process that has not stopped by then is killed. */
const STOP_LIMIT_MS = 120_000;
const CARETAKER_POLL_MS = 30 * 60_000;
/** What a process is doing when it dies matters most there. */
const DANGEROUS = new Set(['store.compareAndSwap', 'airflow.clear', 'airflow.request', 'alerts.send']);

export function createFleet({ scenario, timers, dice, journal, isTroubled, start }: FleetDeps): Fleet {
  const slots = Array.from({ length: scenario.replicas }, (_, index): Slot => {
    return { letter: String.fromCharCode(97 + index), starts: 0, life: null, replica: null };
  });
  const clocks = new Map<string, Replica>();
  let isOver = false;

  function blowAt(name: string, operation: string): Blow {
    const { crash, freeze } = scenario.weather;
    const drawn = dice.random() / (DANGEROUS.has(operation) ? 4 : 1);
    if (!isTroubled()) return null;
    if (drawn < crash) return { type: 'crash' };
    if (drawn >= crash + freeze) return null;
    const durationMs = dice.whole(1_000, dice.pick([20_000, 200_000]));
    journal.count('processes: frozen');
    journal.tell({ type: 'process', by: name, what: `is suspended for ${durationMs} ms at ${operation}` });
    return { type: 'freeze', durationMs };
  }

  const onGhost = (operation: string) => journal.violate('a stopped process rests', `it still calls ${operation}`);

  function boot(slot: Slot): void {
    if (isOver || slot.life?.isAlive()) return;
    slot.starts += 1;
    const name = `${slot.letter}${slot.starts}`;
    const skewMs = dice.whole(-scenario.maxSkewMs, scenario.maxSkewMs);
    const life = createLife({
      ...{ name, timers, onGhost },
      blowAt: (operation) => blowAt(name, operation),
      onEnd: () => died(slot, name),
    });
    journal.tell({ type: 'process', by: name, what: `starts, its clock ${skewMs} ms off` });
    const replica = start(slots.indexOf(slot), life, skewMs, scenario.worker);
    clocks.set(name, replica);
    Object.assign(slot, { life, replica });
  }

  function died(slot: Slot, name: string): void {
    journal.count('processes: crashed');
    journal.tell({ type: 'process', by: name, what: 'crashes' });
    timers.schedule(dice.whole(500, dice.pick([5_000, 300_000])), () => boot(slot));
  }

  async function stop(slot: Slot): Promise<void> {
    const { life, replica } = slot;
    if (life === null || replica === null || !life.isAlive()) return;
    journal.tell({ type: 'process', by: life.name, what: 'is told to stop' });
    const cancelKill = timers.schedule(STOP_LIMIT_MS, () => life.end());
    await replica.stop();
    cancelKill();
    if (!life.isAlive()) return;
    journal.count('processes: stopped');
    journal.tell({ type: 'process', by: life.name, what: 'has stopped' });
    life.retire();
  }

  async function restart(slot: Slot): Promise<void> {
    await stop(slot);
    timers.schedule(dice.whole(0, 30_000), () => boot(slot));
  }

  for (const slot of slots) {
    timers.schedule(dice.whole(0, 2_000), () => boot(slot));
    const untilMs = timers.nowMs() + scenario.troubleMs;
    for (const atMs of momentsOf(dice, scenario.weather.restartsPerHour, timers.nowMs(), untilMs)) {
      timers.schedule(atMs - timers.nowMs(), () => void restart(slot));
    }
  }
  return {
    anyone() {
      const { life, replica } = dice.pick(slots);
      return life?.isAlive() ? replica : null;
    },
    clockMs: (name) => clocks.get(name)?.nowMs() ?? timers.nowMs(),
    async stopAll() {
      isOver = true;
      await Promise.all(slots.map(stop));
    },
    startCaretaker() {
      const life = createLife({ name: 'caretaker', timers, blowAt: () => null, onEnd: () => {}, onGhost });
      clocks.set('caretaker', start(0, life, 0, { ...scenario.worker, pollIntervalMs: CARETAKER_POLL_MS }));
    },
  };
}
