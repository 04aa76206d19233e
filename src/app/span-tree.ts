import { AsyncLocalStorage } from 'node:async_hooks';
import { DagainError } from '../core/errors.ts';
import type { OpenSpan, SpanFields, SpanOptions, Story, Tracer } from '../engine/tracer.ts';

/** Spans in one tree; what is beyond is not told. */
const MAX_SPANS = 200;

/** A span that has been recorded. Times are epoch milliseconds with fractions. */
export interface RecordedSpan {
  readonly name: string;
  readonly kind: 'server' | 'internal' | 'client';
  readonly startMs: number;
  endMs: number | null;
  readonly fields: Record<string, string | number | boolean>;
  readonly traceparent: string | undefined;
  failure: string | null;
  readonly children: RecordedSpan[];
}

export interface SpanTree {
  readonly root: RecordedSpan;
  readonly story: Story | null;
}

interface Growing {
  readonly root: RecordedSpan;
  story: Story | null;
  size: number;
}

interface Place {
  readonly tree: Growing;
  readonly span: RecordedSpan;
}

/** Records spans as trees; whose story one tells is often known only at its end, so that only then it is told. */
export interface SpanRecorder extends Tracer {
  /** Adds a span to the one that is under way, or null where none is. It ends when its `endMs` is set. */
  child(name: string, fields: SpanFields): RecordedSpan | null;
}

export function createSpanRecorder(onTree: (tree: SpanTree) => void): SpanRecorder {
  const underWay = new AsyncLocalStorage<Place>();

  function begin(name: string, kind: RecordedSpan['kind'], fields: SpanFields, options: SpanOptions): Place | null {
    const { traceparent, isRoot = kind === 'server' } = options;
    const span: RecordedSpan = {
      ...{ name, kind, traceparent, startMs: nowMs(), endMs: null, fields: {}, failure: null, children: [] },
    };
    note(span, fields);
    const around = isRoot ? undefined : underWay.getStore();
    // What goes on after its tree has been told, such as a request that nobody waits for, begins another one.
    if (around === undefined || around.tree.root.endMs !== null)
      return { span, tree: { root: span, story: null, size: 1 } };
    if (around.tree.size >= MAX_SPANS) return null;
    around.tree.size += 1;
    around.span.children.push(span);
    return { span, tree: around.tree };
  }

  async function span<T>(
    name: string,
    fields: SpanFields,
    work: (span: OpenSpan) => Promise<T>,
    options: SpanOptions = {},
  ): Promise<T> {
    const place = begin(name, options.kind ?? 'internal', fields, options);
    if (place === null) return await work(UNTOLD);
    try {
      return await underWay.run(place, () => work(openSpan(place)));
    } catch (error) {
      place.span.failure = wordFor(error);
      throw error;
    } finally {
      place.span.endMs = nowMs();
      if (place.tree.root === place.span) onTree({ root: place.span, story: place.tree.story });
    }
  }

  return {
    span,
    child: (name, fields) =>
      underWay.getStore() === undefined ? null : (begin(name, 'client', fields, {})?.span ?? null),
  };
}

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

const UNTOLD: OpenSpan = { note: () => undefined, belongsTo: () => undefined, fail: () => undefined };

function openSpan({ span, tree }: Place): OpenSpan {
  return {
    note: (fields) => note(span, fields),
    belongsTo(story) {
      tree.story = story;
    },
    fail(reason) {
      span.failure = reason;
    },
  };
}

function note(span: RecordedSpan, fields: SpanFields): void {
  for (const [name, value] of Object.entries(fields)) if (value !== null) span.fields[name] = value;
}

/** A stable word: messages may quote what others have sent. */
function wordFor(error: unknown): string {
  if (error instanceof DagainError) return error.code;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
