import { HttpRequestInterceptor } from '@mswjs/interceptors/http';
import type { RequestHandler } from 'msw';
import { defineNetwork, HttpNetworkFrame, InterceptorSource } from 'msw/experimental';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';

export interface TestNetwork {
  /** Adds handlers until the end of the running test: before those of earlier calls, in the order given. */
  use(...handlers: RequestHandler[]): void;
}

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);

/**
 * Mocks the network of one test file for `undici.request` with any dispatcher, which msw's `setupServer` does not reach.
 * A request that no handler takes is answered 500 and fails the test afterwards, whatever the tested code makes of it;
 * loopback is left alone, for servers that the test runs itself.
 */
export function useNetwork(): TestNetwork {
  const unhandled: string[] = [];
  const network = defineNetwork({
    sources: [new InterceptorSource({ interceptors: [new HttpRequestInterceptor()] })],
    context: { quiet: true },
    // Of this very name: an `onUnhandledRequest` is silently ignored.
    onUnhandledFrame({ frame }) {
      if (!(frame instanceof HttpNetworkFrame)) return;
      const { method, url } = frame.data.request;
      if (LOOPBACK.has(new URL(url).hostname)) return;
      unhandled.push(`${method} ${url}`);
      throw new Error(`no handler for ${method} ${url}`);
    },
  });
  beforeAll(() => network.enable());
  afterEach(() => {
    network.resetHandlers();
    expect(unhandled.splice(0), 'requests that no handler took').toEqual([]);
  });
  afterAll(() => network.disable());
  return { use: (...handlers) => network.use(...handlers) };
}
