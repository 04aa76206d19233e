import type { Environment } from '../config/environment.ts';
import type { Log } from '../engine/log.ts';
import type { Tracer } from '../engine/tracer.ts';
import { recordHttpRequests } from './http-spans.ts';
import { createSpanRecorder } from './span-tree.ts';

/** How long stopping may wait for the collector. */
const FLUSH_LIMIT_MS = 3_000;

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is left, for a bounded time; never rejects. */
  close(): Promise<void>;
}

export type TracingEnvironment = Pick<
  Environment,
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
  | 'OTEL_TRACES_EXPORTER'
  | 'OTEL_SDK_DISABLED'
  | 'OTEL_TRACES_SAMPLER'
  | 'OTEL_TRACES_SAMPLER_ARG'
>;

export interface TracingDeps {
  readonly environment: TracingEnvironment;
  readonly log: Log;
  readonly version: string;
}

/** Sends traces where a collector is configured; else null, and nothing is loaded for it. */
export async function openTracing({ environment, log, version }: TracingDeps): Promise<Tracing | null> {
  if (!isWanted(environment)) return null;
  const { createExport } = await import('./trace-export.ts');
  const exporting = createExport({ environment, log, version });
  const recorder = createSpanRecorder((tree) => exporting.send(tree));
  const stopRecording = recordHttpRequests(recorder);
  return {
    tracer: recorder,
    async close() {
      stopRecording();
      if (await isDoneWithin(FLUSH_LIMIT_MS, exporting.close())) return;
      log.warn({}, 'the collector did not take the last traces in time; they are lost');
    },
  };
}

function isWanted(environment: TracingEnvironment): boolean {
  if (environment.OTEL_SDK_DISABLED.toLowerCase() === 'true' || environment.OTEL_TRACES_EXPORTER === 'none')
    return false;
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces } = environment;
  return all !== undefined || traces !== undefined;
}

/** What is not sent by then is lost: a stop matters more. */
async function isDoneWithin(limitMs: number, work: Promise<void>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), limitMs);
  const isDone = await Promise.race([work.then(() => true).catch(() => true), late]);
  clearTimeout(timer);
  return isDone;
}
