import type { RunKey } from '../../../src/core/run-key.ts';
import type { AirflowModel } from '../../support/airflow/model/model.ts';
import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';
import type { SimEvent } from '../events.ts';
import type { Journal } from '../journal.ts';

export interface PersonsDeps {
  readonly model: AirflowModel;
  readonly timers: Timers;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly isTroubled: () => boolean;
}

/** People in front of Airflow's user interface. */
export interface Persons {
  /** Does something to some run. */
  meddle(): void;
  /** Sometimes acts just when a replica is about to. */
  interfere(event: SimEvent): void;
  /** Ends a run that will not end by itself. */
  finish(key: RunKey): void;
  unpauseAll(): void;
}

type Act =
  | 'clear'
  | 'clear failed tasks'
  | 'clear a task'
  | 'mark success'
  | 'mark failed'
  | 'delete'
  | 'pause'
  | 'unpause';

const ACTS: readonly Act[] = [
  'clear',
  'clear',
  'clear',
  'clear failed tasks',
  'clear a task',
  'mark success',
  'mark failed',
  'mark failed',
  'delete',
  'pause',
  'unpause',
  'unpause',
];

export function createPersons({ model, timers, dice, journal, isTroubled }: PersonsDeps): Persons {
  const alice = model.person('alice');

  function perform(act: Act, key: RunKey): void {
    const run = model.run(key);
    if (run === undefined) return;
    const stateBefore = run.state;
    const clearsBefore = run.clears.length;
    doIt(act, key);
    const restarted = run.clears.slice(clearsBefore).some((clear) => clear.matched > 0);
    journal.count(`person: ${act}`);
    journal.tell({ type: 'person', key, act, stateBefore, restarted });
  }

  function doIt(act: Act, key: RunKey): void {
    switch (act) {
      case 'clear':
        return void alice.clear(key);
      case 'clear failed tasks':
        return void alice.clear(key, { onlyFailed: true });
      case 'clear a task':
        return void alice.clearTask(key, dice.pick(model.run(key)?.taskInstances ?? []).task.taskId);
      case 'mark success':
        return void alice.markSuccess(key);
      case 'mark failed':
        return void alice.markFailed(key);
      case 'delete':
        return void alice.deleteRun(key);
      case 'pause':
        alice.pause(key.dagId);
        // Nobody leaves a Dag paused for ever.
        timers.schedule(dice.whole(10, 1_200) * 1_000, () => alice.unpause(key.dagId));
        return;
      case 'unpause':
        alice.unpause(key.dagId);
    }
  }

  return {
    meddle() {
      const runs = model.runs();
      const act = dice.pick(ACTS);
      // Not before something has happened to it.
      const run = runs.length === 0 ? null : dice.pick(runs);
      if (run?.attempts[0]?.startedAtMs != null) perform(act, run);
    },
    interfere(event) {
      if (!isTroubled()) return;
      const isTelling = (event.type === 'shown' && event.sight.state === 'failed') || event.type === 'clear_sent';
      if (!isTelling || !dice.chance(0.03)) return;
      const { key } = event;
      timers.schedule(dice.pick([0, dice.whole(0, 300), dice.whole(0, 5_000)]), () => perform(dice.pick(ACTS), key));
    },
    finish: (key) => perform('mark failed', key),
    unpauseAll: () => {
      for (const { dagId } of model.dags()) alice.unpause(dagId);
    },
  };
}
