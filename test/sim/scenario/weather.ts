import type { Dice } from '../dice.ts';

/** How often things go wrong; probabilities where nothing else is said, 0 for never. */
export interface Weather {
  /** That a process dies at one of its calls. */
  readonly crash: number;
  /** That a process is suspended at one of its calls. */
  readonly freeze: number;
  /** Graceful restarts of a process per hour. */
  readonly restartsPerHour: number;
  readonly store: {
    readonly fails: number;
    readonly answerLost: number;
    readonly slow: number;
    readonly outagesPerHour: number;
    /** Emptied, or set back to an older snapshot. */
    readonly lossesPerHour: number;
  };
  readonly airflow: {
    readonly refused: number;
    readonly faulty: number;
    readonly slow: number;
    readonly outagesPerHour: number;
    /** Token secrets rotated, the user locked out, Dags that cannot be loaded. */
    readonly troublesPerHour: number;
  };
  readonly callbacks: {
    readonly lost: number;
    readonly doubled: number;
    readonly late: number;
    readonly strayPerHour: number;
  };
  readonly alerts: { readonly fails: number; readonly answerLost: number; readonly hangs: number };
  readonly personActsPerHour: number;
  readonly operatorActsPerHour: number;
  readonly reloadsPerHour: number;
}

/** Each kind of trouble is off in many seeds, so that the others are seen alone as well. */
export function drawWeather(dice: Dice): Weather {
  const some = (low: number, high: number) => (dice.chance(0.4) ? 0 : dice.pick([low, low, high]));
  return {
    crash: some(0.001, 0.004),
    freeze: some(0.001, 0.004),
    restartsPerHour: some(1, 3),
    store: {
      fails: some(0.01, 0.1),
      answerLost: some(0.01, 0.1),
      slow: some(0.02, 0.2),
      outagesPerHour: some(1, 4),
      lossesPerHour: dice.chance(0.7) ? 0 : dice.pick([1, 3]),
    },
    airflow: {
      refused: some(0.02, 0.15),
      faulty: some(0.05, 0.25),
      slow: some(0.05, 0.3),
      outagesPerHour: some(1, 4),
      troublesPerHour: some(1, 4),
    },
    callbacks: { lost: some(0.1, 0.5), doubled: some(0.1, 0.4), late: some(0.1, 0.5), strayPerHour: some(5, 30) },
    alerts: { fails: some(0.1, 0.5), answerLost: some(0.1, 0.3), hangs: some(0.1, 0.3) },
    personActsPerHour: some(3, 15),
    operatorActsPerHour: some(3, 15),
    reloadsPerHour: some(1, 4),
  };
}

/** When the trouble is over. */
export const CALM: Weather = {
  crash: 0,
  freeze: 0,
  restartsPerHour: 0,
  store: { fails: 0, answerLost: 0, slow: 0, outagesPerHour: 0, lossesPerHour: 0 },
  airflow: { refused: 0, faulty: 0, slow: 0, outagesPerHour: 0, troublesPerHour: 0 },
  callbacks: { lost: 0, doubled: 0, late: 0, strayPerHour: 0 },
  alerts: { fails: 0, answerLost: 0, hangs: 0 },
  personActsPerHour: 0,
  operatorActsPerHour: 0,
  reloadsPerHour: 0,
};
