import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    include: ['test/faults/**/*.faults.ts', 'test/crash/**/*.faults.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Tests start processes of their own and mostly wait: two files at a time, and several tests of each.
    maxWorkers: 2,
    maxConcurrency: 5,
    // Generous, because machines are shared.
    testTimeout: 150_000,
    // The first one builds toxiproxy.
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
