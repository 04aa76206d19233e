import type { PolicyDocument } from '../../../src/engine/policies.ts';
import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';
import type { Journal } from '../journal.ts';
import { drawDocument } from '../scenario/policies.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** The policy file, and when each replica has read it anew. */
export interface Documents {
  ofSlot(slot: number): PolicyDocument;
  /** The one in force, and those that a decision may rest on that is swapped in only now. */
  latelyOfSlot(slot: number): readonly PolicyDocument[];
  /** Somebody changes the file: the replicas notice one after the other. */
  change(): void;
  shortestDelayMs(): number;
}

export interface DocumentsDeps {
  readonly scenario: Scenario;
  readonly timers: Timers;
  readonly dice: Dice;
  readonly journal: Journal;
}

/** How often the service looks whether the file has changed. */
const POLL_MS = 2_000;
/** The longest from a decision to its swap: a process may be frozen in between. */
const LATELY_MS = 10 * 60_000;

export function createDocuments({ scenario, timers, dice, journal }: DocumentsDeps): Documents {
  const first = drawDocument(scenario.frame, dice);
  const current = Array.from({ length: scenario.replicas }, () => first);
  const replaced = current.map((): { document: PolicyDocument; atMs: number }[] => []);
  let shortestMs = delayOf(first);
  return {
    ofSlot: (slot) => current[slot] ?? first,
    latelyOfSlot: (slot) => [
      current[slot] ?? first,
      ...(replaced[slot] ?? [])
        .filter(({ atMs }) => timers.nowMs() - atMs <= LATELY_MS)
        .map(({ document }) => document),
    ],
    change() {
      const next = drawDocument(scenario.frame, dice);
      shortestMs = Math.min(shortestMs, delayOf(next));
      journal.count('policy changes');
      journal.tell({ type: 'note', text: `the policy file changes: ${JSON.stringify(next)}` });
      for (const slot of current.keys()) {
        timers.schedule(dice.whole(0, POLL_MS), () => {
          replaced[slot]?.push({ document: current[slot] ?? first, atMs: timers.nowMs() });
          current[slot] = next;
        });
      }
    },
    shortestDelayMs: () => shortestMs,
  };
}

function delayOf({ file }: PolicyDocument): number {
  return file.defaults.delay ?? 0;
}
