import type { MarkName, RunStore } from '../../src/store/port.ts';

/** The marks of a store in memory. */
export function createMarks(): Pick<RunStore, 'readMark' | 'advanceMark' | 'advanceMarkFrom'> & {
  clear(): void;
  snapshot(): () => void;
} {
  const marks = new Map<MarkName, number>();
  return {
    readMark: async (name) => marks.get(name) ?? null,
    async advanceMark(name, toMs) {
      const at = Math.max(marks.get(name) ?? Number.NEGATIVE_INFINITY, toMs);
      marks.set(name, at);
      return at;
    },
    async advanceMarkFrom(name, fromMs, toMs) {
      const stored = marks.get(name);
      if (stored === undefined || stored < fromMs) return false;
      marks.set(name, Math.max(stored, toMs));
      return true;
    },
    clear: () => marks.clear(),
    /** What it returns sets the marks back to how they are now. */
    snapshot() {
      const kept = [...marks];
      return () => {
        marks.clear();
        for (const [name, atMs] of kept) marks.set(name, atMs);
      };
    },
  };
}
