import { createApp, createLog, REAL_CLOCK } from '../../src/app.ts';
import { readEnvironment } from '../../src/config/environment.ts';

/**
 * The whole service as a process of its own, as `dagain serve` is, on a clock that may be ahead: who restarts it "three
 * minutes later" need not wait for leases to end.
 */
const aheadMs = Number(process.env['CLOCK_AHEAD_MS'] ?? 0);
const environment = readEnvironment(process.env);
const app = await createApp({
  environment,
  log: createLog(environment.DAGAIN_LOG_LEVEL),
  clock: { ...REAL_CLOCK, nowMs: () => Date.now() + aheadMs },
});
await app.start();
