/**
 * Settles as `work` does, or rejects with `late()` when `timeoutMs` have passed. An answer that has already arrived
 * wins, also when this process was too busy to read it in time.
 */
export function withDeadline<T>(work: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    let settled = false;
    // Timers run before sockets are read; what has arrived by now is read before the immediate runs.
    const timer = setTimeout(() => setImmediate(() => settled || reject(late())), timeoutMs);
    const settle = () => {
      settled = true;
      clearTimeout(timer);
    };
    work.finally(settle).then(resolve, reject);
  });
}
