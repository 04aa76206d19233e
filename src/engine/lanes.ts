/** What comes in for one key while something for it is under way is then done together. */
export interface Lanes<T, R> {
  /** Resolves with what became of this item; rejects when the group it was in did. */
  add(key: string, item: T): Promise<R>;
}

interface Waiting<T, R> {
  readonly item: T;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** `work` gets the items of one key in the order in which they came, one group at a time, and answers for each. */
export function createLanes<T, R>(
  work: (key: string, items: readonly T[]) => Promise<readonly R[]>,
  maxGroup: number,
): Lanes<T, R> {
  const lanes = new Map<string, Waiting<T, R>[]>();

  async function run(key: string, lane: Waiting<T, R>[]): Promise<void> {
    while (lane.length > 0) {
      const group = lane.splice(0, maxGroup);
      try {
        const results = await work(
          key,
          group.map(({ item }) => item),
        );
        for (const [index, waiting] of group.entries()) waiting.resolve(results[index] as R);
      } catch (error) {
        for (const waiting of group) waiting.reject(error);
      }
    }
    lanes.delete(key);
  }

  return {
    add(key, item) {
      return new Promise((resolve, reject) => {
        const lane = lanes.get(key);
        if (lane !== undefined) {
          lane.push({ item, resolve, reject });
          return;
        }
        const opened = [{ item, resolve, reject }];
        lanes.set(key, opened);
        void run(key, opened);
      });
    },
  };
}
