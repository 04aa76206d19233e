/** Work that shares a transaction with whatever else is queued. Must be synchronous and must not throw on conflicts. */
export type Job<T> = () => T;

export interface GroupCommit {
  /** Resolves after the commit. A transaction that fails rejects all of its jobs. */
  run<T>(job: Job<T>): Promise<T>;
  /** Commits what is queued now. */
  flush(): void;
}

/** Jobs of one transaction, so that a burst does not hold the thread for long. */
const MAX_JOBS = 200;

interface Queued {
  readonly perform: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Commits once per turn of the event loop for all jobs that came meanwhile: one flush to disk serves them all. */
export function createGroupCommit(inTransaction: (work: () => void) => void): GroupCommit {
  let queue: Queued[] = [];
  let isScheduled = false;

  function commitBatch(): void {
    const batch = queue.slice(0, MAX_JOBS);
    queue = queue.slice(MAX_JOBS);
    try {
      inTransaction(() => {
        for (const job of batch) job.perform();
      });
    } catch (error) {
      for (const job of batch) job.reject(error);
      return;
    }
    for (const job of batch) job.resolve();
  }

  function schedule(): void {
    if (isScheduled || queue.length === 0) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      if (queue.length > 0) commitBatch();
      schedule();
    });
  }

  return {
    run<T>(job: Job<T>): Promise<T> {
      return new Promise((resolve, reject) => {
        let result: { readonly value: T } | null = null;
        const perform = () => {
          result = { value: job() };
        };
        queue.push({ perform, reject, resolve: () => result !== null && resolve(result.value) });
        schedule();
      });
    },
    flush() {
      while (queue.length > 0) commitBatch();
    },
  };
}
