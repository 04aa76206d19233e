import type { AlertChannel } from '../alerts/port.ts';
import type { RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { Announcer } from './announcer.ts';
import type { Stepper } from './steps.ts';
import type { Applied, SwapLoop } from './swap-loop.ts';
import type { OpenSpan, SpanFields, Story, Tracer } from './tracer.ts';

/** Puts spans around the parts of the engine that a run's story is made of. */
export interface Tracing {
  ports<T extends TracedPorts>(deps: T): T;
  swaps(swapLoop: SwapLoop): SwapLoop;
  steps(stepper: Stepper): Stepper;
  announcer(announcer: Announcer): Announcer;
}

interface TracedPorts {
  readonly orchestrator: Orchestrator;
  readonly channels: readonly AlertChannel[];
}

const UNTRACED: Tracing = {
  ports: (deps) => deps,
  swaps: (swapLoop) => swapLoop,
  steps: (stepper) => stepper,
  announcer: (announcer) => announcer,
};

/** Without a tracer all parts stay as they are. */
export function tracingBy(tracer: Tracer | undefined): Tracing {
  if (tracer === undefined) return UNTRACED;
  return {
    ports: (deps) => ({
      ...deps,
      orchestrator: traceOrchestrator(deps.orchestrator, tracer),
      channels: deps.channels.map((channel) => traceChannel(channel, tracer)),
    }),
    swaps: (swapLoop) => traceSwaps(swapLoop, tracer),
    steps: (stepper) => traceSteps(stepper, tracer),
    announcer: (announcer) => traceAnnouncer(announcer, tracer),
  };
}

/** The swaps of a run, with what was decided; they tell whose story all that is going on belongs to. */
function traceSwaps(swapLoop: SwapLoop, tracer: Tracer): SwapLoop {
  function traced<T extends Applied | null>(key: RunKey, event: string, work: () => Promise<T>): Promise<T> {
    return tracer.span('dagain.swap', { ...runFields(key), 'dagain.event': event }, async (span) => {
      const applied = await work();
      if (applied === null) span.note({ 'dagain.decision': null, 'dagain.reason': 'overtaken' });
      else noteApplied(span, applied);
      return applied;
    });
  }
  return {
    apply: (key, event) => traced(key, event.type, () => swapLoop.apply(key, event)),
    applyTo: (key, current, event) => traced(key, event.type, () => swapLoop.applyTo(key, current, event)),
    replaceLost: (key, version, lost) => traced(key, lost.type, () => swapLoop.replaceLost(key, version, lost)),
  };
}

/** What a run had due: the look at the orchestrator, the clear, the swaps between them. */
function traceSteps(stepper: Stepper, tracer: Tracer): Stepper {
  return {
    step: (key, current) => ownSpan(tracer, 'dagain.step', current.value, () => stepper.step(key, current)),
  };
}

function traceAnnouncer(announcer: Announcer, tracer: Tracer): Announcer {
  return {
    announce: (key, record) => ownSpan(tracer, 'dagain.announce', record, () => announcer.announce(key, record)),
  };
}

function ownSpan(tracer: Tracer, name: string, record: RunRecord, work: () => Promise<void>): Promise<void> {
  const begin = async (span: OpenSpan) => {
    span.belongsTo(storyOf(record));
    await work();
  };
  return tracer.span(name, recordFields(record), begin, { isRoot: true });
}

function traceChannel(channel: AlertChannel, tracer: Tracer): AlertChannel {
  const { name } = channel;
  return {
    name,
    send: (alert) =>
      tracer.span('dagain.alert', { ...runFields(alert.key), ...alertFields(name, alert) }, async (span) => {
        const result = await channel.send(alert);
        span.note({ 'dagain.outcome': result.type });
        if (result.type !== 'accepted') span.fail(result.type);
        return result;
      }),
  };
}

/** The requests that a run's retry depends on: looks, and the clear. */
function traceOrchestrator(orchestrator: Orchestrator, tracer: Tracer): Orchestrator {
  function traced<T extends { readonly type: string }>(name: string, key: RunKey, work: () => Promise<T>): Promise<T> {
    return tracer.span(name, runFields(key), async (span) => {
      const answer = await work();
      const reason = 'reason' in answer ? String(answer.reason) : null;
      span.note({ 'dagain.outcome': answer.type, 'dagain.reason': reason });
      if (FAILURES.has(answer.type)) span.fail(reason ?? answer.type);
      return answer;
    });
  }
  return {
    ...orchestrator,
    observe: (key) => traced('dagain.look', key, () => orchestrator.observe(key)),
    clear: (key, request) => traced('dagain.clear', key, () => orchestrator.clear(key, request)),
    rehearse: (key, request) => traced('dagain.rehearse', key, () => orchestrator.rehearse(key, request)),
  };
}

const FAILURES = new Set(['unavailable', 'refused', 'not_applied', 'unknown']);

function noteApplied(span: OpenSpan, { before, next, decision, reason }: Applied): void {
  const record = next ?? before;
  span.note({ 'dagain.decision': decision, 'dagain.reason': reason, 'dagain.phase': next?.phase ?? null });
  if (record === null) return;
  span.note({ 'dagain.attempt': record.attempt, 'dagain.retries_used': record.retriesUsed });
  span.belongsTo(storyOf(record));
}

function recordFields(record: RunRecord): SpanFields {
  const { phase, attempt, retriesUsed } = record;
  return {
    ...runFields(record),
    'dagain.phase': phase,
    'dagain.attempt': attempt,
    'dagain.retries_used': retriesUsed,
  };
}

function runFields({ dagId, dagRunId }: RunKey): SpanFields {
  return { 'dagain.dag_id': dagId, 'dagain.dag_run_id': dagRunId };
}

function alertFields(channel: string, alert: Parameters<AlertChannel['send']>[0]): SpanFields {
  const { kind, reason, attempt } = alert;
  return { 'dagain.channel': channel, 'dagain.alert': kind, 'dagain.reason': reason, 'dagain.attempt': attempt };
}

function storyOf({ dagId, dagRunId, firstFailedAtMs }: RunRecord): Story {
  return { dagId, dagRunId, firstFailedAtMs };
}
