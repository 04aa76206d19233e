import { unitHash } from '../../core/backoff.ts';

/** Airflow takes no longer note, in characters. */
const MAX_NOTE_LENGTH = 1_000;
const MAX_LINE_LENGTH = 300;
/** What is left of a line that has been cut to less than this would say nothing. */
const MIN_LINE_LENGTH = 40;

/**
 * The note with `line` as its last one, in place of our earlier one (null: without any). Null where a person's words
 * leave no room for it and nothing of ours has to go.
 */
export function withLine(note: string, line: string | null): string | null {
  const kept = note
    .split('\n')
    .filter((one) => !isOurs(one))
    .join('\n');
  if (line === null) return kept;
  const before = kept === '' ? '' : `${kept}\n`;
  const room = MAX_NOTE_LENGTH - before.length;
  const ours = marked(line, Math.min(room, MAX_LINE_LENGTH));
  if (ours !== null) return before + ours;
  // What it said last would not be true any more.
  return kept === note ? null : kept;
}

/** One line that is known again as ours, and as unchanged: a person may have written into it. */
function marked(line: string, maxLength: number): string | null {
  const text = `dagain: ${line.replace(/[\p{C}\p{Z}]+/gu, ' ').trim()}`;
  const ending = ` [${checksum(text)}]`;
  if (text.length + ending.length <= maxLength) return text + ending;
  if (maxLength < MIN_LINE_LENGTH) return null;
  // Half of a character in two parts would not be stored.
  const cut = `${text
    .slice(0, maxLength - ending.length - 3)
    .toWellFormed()
    .replace(/\uFFFD$/, '')}...`;
  return `${cut} [${checksum(cut)}]`;
}

const OURS = /^(dagain: .*) \[([0-9a-f]{4})\]\r?$/;

function isOurs(line: string): boolean {
  const [, text, sum] = OURS.exec(line) ?? [];
  return text !== undefined && checksum(text) === sum;
}

function checksum(text: string): string {
  return Math.floor(unitHash(text) * 2 ** 16)
    .toString(16)
    .padStart(4, '0');
}
