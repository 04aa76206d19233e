import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

const SIMULATION = 'test/sim/**/*.test.ts';

export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    // Generous, because machines are shared; nothing in the tests waits for real time to pass.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, 'test/e2e/**', SIMULATION],
          // Two also where there are but two cores: half of the time they wait for processes of their own.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      // By itself, after the others: it has threads of its own for all cores.
      {
        extends: true,
        test: { name: 'simulation', include: [SIMULATION], maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
