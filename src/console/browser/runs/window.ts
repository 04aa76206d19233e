import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Rows beyond the visible ones, so that quick scrolling shows no gaps. */
const SPARE_ROWS = 8;
/** What is shown before the real height is known. */
const FIRST_HEIGHT_PX = 800;

export interface RowWindow {
  /** Goes on the element that scrolls. */
  readonly ref: { current: HTMLDivElement | null };
  readonly onScroll: () => void;
  readonly from: number;
  readonly to: number;
}

/** Which of `rows` rows of equal height are in view: only they are made. */
export function useRowWindow(rows: number, rowPx: number): RowWindow {
  const ref = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ topPx: 0, heightPx: FIRST_HEIGHT_PX });
  const look = () => {
    const element = ref.current;
    if (element === null) return;
    const { scrollTop: topPx, clientHeight: heightPx } = element;
    setView((before) => (before.topPx === topPx && before.heightPx === heightPx ? before : { topPx, heightPx }));
  };
  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    if (ref.current !== null) observer.observe(ref.current);
    return () => observer.disconnect();
  }, [rows, rowPx]);
  const first = Math.min(Math.floor(view.topPx / rowPx), Math.max(0, rows - 1));
  const from = Math.max(0, first - SPARE_ROWS);
  const to = Math.min(rows, first + Math.ceil(view.heightPx / rowPx) + SPARE_ROWS);
  return { ref, onScroll: look, from, to };
}
