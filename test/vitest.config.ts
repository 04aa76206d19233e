import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**'],
    globalSetup: ['test/support/global-setup.ts'],
    // Generous, because machines are shared; nothing in the tests waits for real time to pass.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
