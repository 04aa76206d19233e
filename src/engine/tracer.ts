import type { RunKey } from '../core/run-key.ts';

/** What a span tells besides its name and its times; null: not known. Holds no secret and no text of people. */
export type SpanFields = Readonly<Record<string, string | number | boolean | null>>;

/** One count of a run: all spans of it belong to one trace, on every replica. */
export interface Story extends RunKey {
  readonly firstFailedAtMs: number;
}

/** A span under way. */
export interface OpenSpan {
  note(fields: SpanFields): void;
  /** Whose story the span, and those around it, are part of. */
  belongsTo(story: Story): void;
  /** It went wrong, by a stable word. */
  fail(reason: string): void;
}

export interface SpanOptions {
  readonly kind?: 'server' | 'internal';
  /** A matter of its own, whatever is under way: what woke the worker is not what it then does. */
  readonly isRoot?: boolean;
  /** The W3C `traceparent` of a caller: the span is linked to his. */
  readonly traceparent?: string | undefined;
}

/** Tells where time went, to whoever collects traces. Never rejects, never waits. */
export interface Tracer {
  /** Does `work` within a span, which is part of the one that is under way; a rejection is noted and passed on. */
  span<T>(name: string, fields: SpanFields, work: (span: OpenSpan) => Promise<T>, options?: SpanOptions): Promise<T>;
}
