import { createApp, createLog, REAL_CLOCK } from '../../src/app.ts';
import { readEnvironment } from '../../src/config/environment.ts';

const STEP_MS = 3 * 60_000;

/**
 * The whole service as a process of its own, as `dagain serve` is, on a clock that may be ahead: nobody has to wait for
 * leases to end. With each SIGUSR2 three minutes pass.
 */
let aheadMs = Number(process.env['CLOCK_AHEAD_MS'] ?? 0);
process.on('SIGUSR2', () => {
  aheadMs += STEP_MS;
});
const environment = readEnvironment(process.env);
const app = await createApp({
  environment,
  log: createLog(environment.DAGAIN_LOG_LEVEL),
  clock: { ...REAL_CLOCK, nowMs: () => Date.now() + aheadMs },
});
await app.start();
