import type { HistoryEntry, RunKey } from '../airflow/model/run-state.ts';
import type { DemoDag } from './dags.ts';

export interface Outcome {
  readonly dagId: string;
  readonly state: string;
  readonly clears: number;
  readonly alerts: number;
  /** The phase of what the service still keeps, or `none`. */
  readonly record: string;
  readonly isRight: boolean;
}

/** Shows what happens as it happens, one line each. */
export interface Narrator {
  introduce(dags: readonly DemoDag[], urls: { readonly airflow: string; readonly dagain: string }): void;
  tell(who: 'airflow' | 'callback' | 'alert', dagId: string, what: string): void;
  /** Tells what is new in the run's history. */
  follow(key: RunKey, history: readonly HistoryEntry[]): void;
  conclude(outcomes: readonly Outcome[]): void;
}

export function createNarrator(print: (line: string) => void): Narrator {
  const startedAtMs = performance.now();
  const told = new Map<string, number>();

  function tell(who: string, dagId: string, what: string): void {
    const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(2).padStart(6);
    print(`${seconds} s  ${who.padEnd(8)}  ${dagId.padEnd(16)} ${what}`);
  }

  return {
    tell,
    introduce(dags, { airflow, dagain }) {
      print(`A simulated Airflow 3 at ${airflow}, dagain at ${dagain} with its embedded store.`);
      print('At most 2 retries each, half a second apart and growing.\n');
      for (const { dagId, story } of dags) print(`  ${dagId.padEnd(16)} ${story}`);
      print('');
    },
    follow(key, history) {
      const seen = told.get(key.dagId) ?? 0;
      for (const { type, detail } of history.slice(seen)) {
        if (isWorthTelling(type))
          tell('airflow', key.dagId, `${type.replaceAll('_', ' ')}${detail === '' ? '' : `: ${detail}`}`);
      }
      told.set(key.dagId, history.length);
    },
    conclude(outcomes) {
      print('\n  Dag              run      clears  alerts  record   as expected');
      for (const { dagId, state, clears, alerts, record, isRight } of outcomes) {
        const row = [
          dagId.padEnd(16),
          state.padEnd(8),
          String(clears).padEnd(7),
          String(alerts).padEnd(7),
          record.padEnd(8),
        ];
        print(`  ${row.join(' ')} ${isRight ? 'yes' : 'NO'}`);
      }
      const isAll = outcomes.every((outcome) => outcome.isRight);
      print(isAll ? '\nEvery run ended as it should.' : '\nSomething went wrong: see the rows that say NO.');
    },
  };
}

/** The run's own story; what single tasks do would bury it. */
function isWorthTelling(type: string): boolean {
  return !type.startsWith('task') && !type.startsWith('callback');
}
