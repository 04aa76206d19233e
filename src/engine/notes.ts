import type { Decision } from '../core/reason.ts';
import { formatRunKey, type RunKey } from '../core/run-key.ts';
import type { NoteOutcome, Orchestrator } from '../orchestrator/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { type AboutRun, runFields } from './log-fields.ts';
import { type Change, isClearing, noteAfter } from './notes/line.ts';
import type { Telemetry } from './telemetry.ts';

/** Runs whose notes are written at the same time, apart from the places for retries. */
const CONCURRENCY = 2;
/** What follows within it makes one write, and a clear that follows at once does not meet one at the orchestrator. */
const QUIET_MS = 2_000;
/** More are not kept waiting; the oldest is dropped. */
const MAX_WAITING = 1_000;
/** After a refusal of all notes, or while the orchestrator does not answer, nothing is written for so long. */
const FORBIDDEN_PAUSE_MS = 60 * 60_000;
const OUTAGE_PAUSE_MS = 30_000;

export interface NotesDeps {
  readonly orchestrator: Pick<Orchestrator, 'annotate'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly telemetry: Pick<Telemetry, 'noted'>;
}

/** Tells people on the run what was decided about it. Best effort: a note that fails is dropped, and the next one is newer. */
export interface Notes {
  /** Called after each swap; returns at once, and nobody waits for the note. */
  changed(key: RunKey, change: Change & { readonly decision: Decision }): void;
  /** Writes nothing more; resolves when what is being written is done. */
  stop(): Promise<void>;
}

interface Waiting {
  readonly key: RunKey;
  readonly line: string | null;
  /** The change that it tells of. */
  readonly about: AboutRun;
  readonly fromMs: number;
}

export function createNotes({ orchestrator, clock, log, telemetry }: NotesDeps): Notes {
  const waiting = new Map<string, Waiting>();
  const writing = new Map<string, Promise<void>>();
  let pausedUntilMs = 0;
  let isForbiddenSaid = false;
  let isStopped = false;
  let cancelWake = () => {};

  function startDue(): void {
    cancelWake();
    cancelWake = () => {};
    if (isStopped) return;
    for (const [name, note] of waiting) {
      if (writing.size >= CONCURRENCY) return;
      // One writer for each run: the later line must not be overtaken by the earlier one.
      if (note.fromMs > clock.nowMs() || writing.has(name)) continue;
      waiting.delete(name);
      if (clock.nowMs() < pausedUntilMs) telemetry.noted('dropped');
      else writing.set(name, write(name, note));
    }
    wakeForNext();
  }

  function wakeForNext(): void {
    const next = [...waiting].filter(([name]) => !writing.has(name)).map(([, { fromMs }]) => fromMs);
    if (next.length > 0) cancelWake = clock.schedule(Math.max(0, Math.min(...next) - clock.nowMs()), startDue);
  }

  async function write(name: string, { key, line, about }: Waiting): Promise<void> {
    try {
      tell(key, about, await orchestrator.annotate(key, line));
    } catch (error) {
      log.error(runFields(key, about, { err: error }), 'the note on the run could not be written');
      telemetry.noted('dropped');
    } finally {
      writing.delete(name);
      startDue();
    }
  }

  function tell(key: RunKey, about: AboutRun, outcome: NoteOutcome): void {
    const result = outcome.type === 'unavailable' ? outcome.reason : outcome.type;
    const detail = 'detail' in outcome ? outcome.detail : undefined;
    const fields = runFields(key, about, { result, detail });
    telemetry.noted(result);
    const isForbidden = outcome.type === 'unavailable' && outcome.reason === 'forbidden';
    if (outcome.type === 'accepted') isForbiddenSaid = false;
    if (outcome.type === 'unavailable') {
      const pauseMs = isForbidden ? FORBIDDEN_PAUSE_MS : Math.max(OUTAGE_PAUSE_MS, outcome.retryAfterMs ?? 0);
      pausedUntilMs = clock.nowMs() + pauseMs;
    }
    if (!isForbidden || isForbiddenSaid) {
      log.debug(fields, outcome.type === 'accepted' ? 'note written' : 'note not written');
      return;
    }
    isForbiddenSaid = true;
    log.warn(fields, 'the orchestrator does not let us write notes on runs: none are written (DAGAIN_NOTES=off)');
  }

  return {
    changed(key, change) {
      if (isStopped) return;
      const name = formatRunKey(key);
      // It would say what is no longer true by the time it is written.
      if (isClearing(change)) waiting.delete(name);
      const line = noteAfter(change, clock.nowMs());
      if (line === undefined) return;
      waiting.delete(name);
      const { before, next, decision, reason } = change;
      const about = { attempt: (next ?? before)?.attempt ?? null, decision, reason };
      waiting.set(name, { key, line, about, fromMs: clock.nowMs() + QUIET_MS });
      const [oldest] = waiting.keys();
      if (waiting.size > MAX_WAITING && oldest !== undefined) {
        waiting.delete(oldest);
        telemetry.noted('dropped');
      }
      startDue();
    },
    async stop() {
      isStopped = true;
      cancelWake();
      await Promise.all(writing.values());
    },
  };
}
