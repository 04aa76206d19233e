import type { Timers } from '../../support/timers.ts';
import { currentLife } from './life.ts';

/**
 * Lets the timers that the code under test sets by itself (the Airflow adapter's time limits) pass on virtual time, as
 * timers of the process that sets them. Returns a function that puts the real ones back.
 */
export function replaceProcessTimers(timers: Timers): () => void {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  const set = (run: () => void, delayMs = 0) => (currentLife() ?? timers).schedule(delayMs, run);
  const clear = (cancel: unknown) => {
    if (typeof cancel === 'function') cancel();
  };
  define('setTimeout', set);
  define('clearTimeout', clear);
  return () => {
    define('setTimeout', real.setTimeout);
    define('clearTimeout', real.clearTimeout);
  };
}

function define(name: 'setTimeout' | 'clearTimeout', value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true, enumerable: true });
}
