import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    include: ['test/console/**/*.page.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // One browser each; machines are shared.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // The default of a second is that of the page's own clock.
    expect: { poll: { timeout: 15_000 } },
  },
});
