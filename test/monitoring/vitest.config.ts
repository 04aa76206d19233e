import { defineConfig } from 'vitest/config';

/** With a real Prometheus: `prometheus`, `promtool` and `jq` must be installed, as redis-server. */
export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    include: ['test/monitoring/**/*.monitoring.ts'],
    // Generous, because machines are shared.
    testTimeout: 90_000,
    hookTimeout: 150_000,
  },
});
