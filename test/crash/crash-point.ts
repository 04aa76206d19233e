/**
 * Where a process is killed: at the n-th time that it takes this step towards somebody else. `before`: the other side
 * never saw the request; `unread`: it was carried out, and the answer was on its way; `unstored`: the answer was read,
 * and what follows from it could not be stored any more.
 */
export interface CrashPoint {
  readonly step: string;
  readonly nth: number;
  readonly when: 'before' | 'unread' | 'unstored';
}

/** A step that was taken, and for the how manieth time. */
export type Step = Pick<CrashPoint, 'step' | 'nth'>;

/** Notes the steps of a life, and stops it at one of them. */
export interface Stopper {
  /** In their order. */
  readonly taken: readonly Step[];
  /** Resolves when the life stands at the point. */
  readonly reached: Promise<void>;
  /** Whether this step is the one; tells once of each step. */
  meet(step: string): CrashPoint['when'] | null;
  /** The life stands still: what was to be sent is not sent. Never resolves. */
  stand(): Promise<never>;
}

export function createStopper(point: CrashPoint | null): Stopper {
  const taken: Step[] = [];
  const standing = Promise.withResolvers<void>();
  return {
    taken,
    reached: standing.promise,
    meet(step) {
      const nth = taken.filter((one) => one.step === step).length + 1;
      taken.push({ step, nth });
      return point !== null && point.step === step && point.nth === nth ? point.when : null;
    },
    stand() {
      standing.resolve();
      return new Promise(() => {});
    },
  };
}
