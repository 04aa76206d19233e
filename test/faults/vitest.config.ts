import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    include: ['test/faults/**/*.faults.ts', 'test/crash/**/*.faults.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Each file has processes of its own, and runs several of its tests at a time.
    fileParallelism: false,
    maxConcurrency: 4,
    testTimeout: 60_000,
    // The first one builds toxiproxy.
    hookTimeout: 300_000,
  },
});
