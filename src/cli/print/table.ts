import type { Screen } from '../command.ts';
import { type Colour, coloured, cut, printable, widthOf } from './text.ts';

export interface Column<T> {
  readonly title: string;
  readonly text: (row: T) => string;
  readonly colour?: (row: T) => Colour | null;
  /** Numbers stand below each other. */
  readonly isRight?: boolean;
}

const GAP = 2;
const LEAST_WIDTH = 6;

/** Rows under their titles, cut to the terminal where there is one. Ends with a newline. */
export function tableOf<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  screen: Pick<Screen, 'size' | 'isColoured'>,
): string {
  const texts = rows.map((row) => columns.map(({ text }) => printable(text(row))));
  // A column that says nothing about any row is left out.
  const shown = columns.map((_, index) => index).filter((index) => texts.some((row) => row[index] !== ''));
  const wanted = shown.map((index) =>
    Math.max(widthOf(columns[index]?.title ?? ''), ...texts.map((row) => widthOf(row[index] ?? ''))),
  );
  const widths = narrowed(wanted, screen.size?.columns ?? null);
  const line = (cells: readonly string[], colourOf: (index: number) => Colour | null) =>
    `${shown
      .map((index, place) => {
        const width = widths[place] ?? 0;
        const text = cut(cells[index] ?? '', width);
        const gap = ' '.repeat(Math.max(0, width - widthOf(text)));
        const cell = coloured(text, colourOf(index), screen.isColoured);
        if (columns[index]?.isRight === true) return gap + cell;
        return place === shown.length - 1 ? cell : cell + gap;
      })
      .join(' '.repeat(GAP))
      .trimEnd()}\n`;
  const head = line(
    columns.map(({ title }) => title),
    () => 'dim',
  );
  const body = rows.map((row, at) => line(texts[at] ?? [], (index) => columns[index]?.colour?.(row) ?? null));
  return head + body.join('');
}

/** Takes from the widest columns first what the terminal does not have. */
function narrowed(wanted: readonly number[], available: number | null): readonly number[] {
  const widths = [...wanted];
  if (available === null) return widths;
  let over = widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1) - available;
  while (over > 0) {
    const widest = Math.max(...widths);
    if (widest <= LEAST_WIDTH) break;
    widths[widths.lastIndexOf(widest)] = widest - 1;
    over -= 1;
  }
  return widths;
}

/** `name: value` below each other; what has no value is left out. */
export function fieldsOf(fields: readonly (readonly [name: string, value: string | null])[]): string {
  const given = fields.filter(([, value]) => value !== null);
  const width = Math.max(0, ...given.map(([name]) => name.length)) + GAP;
  return given.map(([name, value]) => `${name.padEnd(width)}${printable(value ?? '')}\n`).join('');
}
