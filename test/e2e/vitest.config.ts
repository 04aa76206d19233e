import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    include: ['test/e2e/**/*.e2e.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // One Airflow at a time: it needs both cores.
    fileParallelism: false,
    // Waiting costs nothing but where something is wrong.
    testTimeout: 400_000,
    // The first one installs Airflow.
    hookTimeout: 900_000,
    expect: { poll: { timeout: 60_000 } },
    bail: 0,
  },
});
