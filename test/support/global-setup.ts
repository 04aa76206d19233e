import type { TestProject } from 'vitest/node';
import { installMissing } from './packages.ts';
import { startSharedRedis } from './redis-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The Redis that all test files share; each test takes a namespace of its own. */
    redisUrl: string;
  }
}

/** Runs once before all test files; what it returns runs after them, also when tests have failed. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  installMissing(['redis-server', 'zsh', 'fish', 'script', 'curl']);
  const redis = await startSharedRedis();
  project.provide('redisUrl', redis.url);
  return () => redis.stop();
}
