import { hash } from 'node:crypto';
import {
  type Attributes,
  context,
  DiagLogLevel,
  diag,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  RandomIdGenerator,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Log } from '../engine/log.ts';
import type { Story } from '../engine/tracer.ts';
import { nowMs, type RecordedSpan, type SpanTree } from './span-tree.ts';
import type { TracingDeps, TracingEnvironment } from './tracing.ts';

/** A collector that is out is told of this often at most. */
const COMPLAINT_INTERVAL_MS = 60_000;
const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

export interface TraceExport {
  /** Queues a tree; drops it where too many wait. */
  send(tree: SpanTree): void;
  close(): Promise<void>;
}

/** Sends trees of spans by OTLP; reads the collector's address, headers and the resource from OpenTelemetry's variables. */
export function createExport({ environment, log, version }: TracingDeps): TraceExport {
  complainTo(log);
  const ids = createIds();
  const provider = new TracerProvider({
    idGenerator: ids,
    sampler: samplerFrom(environment),
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'dagain', 'service.version': version }))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: urlFrom(environment) }) })],
  });
  const tracer = provider.getTracer('dagain', version);

  function emit(recorded: RecordedSpan, around: typeof ROOT_CONTEXT): void {
    const { name, kind, startMs, fields, traceparent, failure } = recorded;
    const links = linksTo(traceparent);
    const attributes: Attributes = { ...fields, ...(failure === null ? {} : { 'error.type': failure }) };
    if (links.length > 0 && traceparent !== undefined)
      attributes['dagain.traceparent'] = traceparent.slice(0, TRACEPARENT_LENGTH);
    const span = tracer.startSpan(name, { kind: KINDS[kind], startTime: startMs, attributes, links }, around);
    if (failure !== null && isOurs(recorded)) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    const inside = trace.setSpan(around, span);
    for (const child of recorded.children) emit(child, inside);
    span.end(recorded.endMs ?? nowMs());
  }

  return {
    send({ root, story }) {
      ids.next = story === null ? null : traceIdOf(story);
      context.with(ROOT_CONTEXT, () => emit(root, ROOT_CONTEXT));
    },
    close: () => provider.shutdown(),
  };
}

/** The same on every replica, so that nothing need be stored. */
export function traceIdOf({ dagId, dagRunId, firstFailedAtMs }: Story): string {
  return hash('sha256', `${dagId}/${dagRunId}/${firstFailedAtMs}`).slice(0, 32);
}

/** Random ids, but for the trace whose id has been set before. */
function createIds() {
  const random = new RandomIdGenerator();
  const ids = {
    next: null as string | null,
    generateTraceId: () => ids.next ?? random.generateTraceId(),
    generateSpanId: () => random.generateSpanId(),
  };
  return ids;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-|$)/;

/** Later versions may say more behind it. */
const TRACEPARENT_LENGTH = 55;

/** To the span of whoever called, as W3C Trace Context names it; none where it cannot be read. */
function linksTo(traceparent: string | undefined): Link[] {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined) return [];
  return [{ context: { traceId, spanId, traceFlags: Number.parseInt(flags ?? '0', 16) & 1, isRemote: true } }];
}

/** A request that was refused is the caller's mistake, not the service's. */
function isOurs({ kind, fields }: RecordedSpan): boolean {
  const status = fields['http.response.status_code'];
  return kind !== 'server' || typeof status !== 'number' || status >= 500;
}

/** Of all signals the collector's address, to which each adds its path; of traces alone the whole one. */
function urlFrom(environment: TracingEnvironment): string {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all = '', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces } = environment;
  return traces ?? `${all.replace(/\/+$/, '')}/v1/traces`;
}

function samplerFrom(environment: TracingEnvironment): Sampler {
  const { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument } = environment;
  const share = Number(argument);
  const root = rootSampler(name.replace(/^parentbased_/, ''), share >= 0 && share <= 1 ? share : 1);
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

function rootSampler(name: string, share: number): Sampler {
  if (name === 'always_off') return new AlwaysOffSampler();
  return name === 'traceidratio' ? new TraceIdRatioBasedSampler(share) : new AlwaysOnSampler();
}

/** The SDK's own words may quote headers and addresses: only that something went wrong is logged. */
function complainTo(log: Log): void {
  let lastMs = Number.NEGATIVE_INFINITY;
  const complain = () => {
    if (performance.now() - lastMs < COMPLAINT_INTERVAL_MS) return;
    lastMs = performance.now();
    log.warn({}, 'traces could not be sent to the collector; the service does not wait for it');
  };
  const silent = () => undefined;
  const logger = { error: complain, warn: complain, info: silent, debug: silent, verbose: silent };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}
