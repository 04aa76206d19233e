import { h } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { RunSummary } from '../../../http/run-view.ts';
import { PhaseBadge } from '../badge.ts';
import { html, type View } from '../html.ts';
import { Link } from '../link.ts';
import { pathToRun } from '../router.ts';
import { Countdown, When } from '../time.ts';
import { CLASS_WORDS, reasonText } from '../words.ts';
import { idOf } from './run-list.ts';
import { useRowWindow } from './window.ts';

export interface RunTableProps {
  readonly runs: readonly RunSummary[];
  readonly selected: ReadonlySet<string>;
  readonly onSelect: (ids: readonly string[], isSelected: boolean) => void;
}

/** Fixed, so that the place of every row is known without making it; the style sheet says the same. */
const ROW_PX = 52;
const CARD_PX = 176;
const NARROW = '(max-width: 720px)';

/** Thousands of runs, of which only those in view are made. On narrow screens each is a card. */
export function RunTable({ runs, selected, onSelect }: RunTableProps): View {
  const isNarrow = useMedia(NARROW);
  const rowPx = isNarrow ? CARD_PX : ROW_PX;
  const { ref, onScroll, from, to } = useRowWindow(runs.length, rowPx);
  const isAll = runs.length > 0 && runs.every((run) => selected.has(idOf(run)));
  const selectAll = () => onSelect(runs.map(idOf), !isAll);
  return html`<div class="window" ref=${ref} onScroll=${onScroll} tabindex="0" role="region" aria-label="Runs">
    <table class="cards runs" role="table" aria-rowcount=${runs.length + 1}>
      <thead role="rowgroup">
        <tr role="row" aria-rowindex="1">
          <th role="columnheader" scope="col" class="pick">
            <input type="checkbox" aria-label="Select all shown" checked=${isAll} onChange=${selectAll} />
          </th>
          <th role="columnheader" scope="col">Run</th>
          <th role="columnheader" scope="col">Phase</th>
          <th role="columnheader" scope="col">Retries</th>
          <th role="columnheader" scope="col">Next</th>
          <th role="columnheader" scope="col">Failure</th>
          <th role="columnheader" scope="col">First failed</th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${from > 0 && html`<tr class="space" role="presentation" style=${{ height: `${from * rowPx}px` }}><td role="presentation"></td></tr>`}
        ${runs.slice(from, to).map((run, index) =>
          h(RunRow, {
            key: idOf(run),
            run,
            rowIndex: from + index + 2,
            isSelected: selected.has(idOf(run)),
            onSelect,
          }),
        )}
        ${to < runs.length && html`<tr class="space" role="presentation" style=${{ height: `${(runs.length - to) * rowPx}px` }}><td role="presentation"></td></tr>`}
      </tbody>
    </table>
  </div>`;
}

interface RunRowProps {
  readonly run: RunSummary;
  readonly rowIndex: number;
  readonly isSelected: boolean;
  readonly onSelect: RunTableProps['onSelect'];
}

function RunRow({ run, rowIndex, isSelected, onSelect }: RunRowProps): View {
  const id = idOf(run);
  const failure = run.last_failure;
  const pick = (event: Event) => onSelect([id], event.target instanceof HTMLInputElement && event.target.checked);
  return html`<tr role="row" aria-rowindex=${rowIndex} class=${isSelected ? 'picked' : undefined}>
    <td role="cell" class="pick">
      <input type="checkbox" aria-label=${`Select ${run.dag_id} ${run.dag_run_id}`} checked=${isSelected} onChange=${pick} />
    </td>
    <td role="cell" class="id">
      ${h(Link, { to: pathToRun(run), children: html`<strong>${run.dag_id}</strong><span>${run.dag_run_id}</span>` })}
    </td>
    <td role="cell" data-label="Phase" class="badges">${h(PhaseBadge, { run })}</td>
    <td role="cell" data-label="Retries">${run.retries_used} of ${run.max_retries}</td>
    <td role="cell" data-label="Next">${h(Next, { run })}</td>
    <td role="cell" data-label="Failure" class="two">
      ${
        failure === null
          ? html`<span class="quiet">none yet of this attempt</span>`
          : html`<span>${failure.task_id ?? 'the run as a whole'}</span>
              <span class="quiet">${failure.exception_type ?? CLASS_WORDS[failure.failure_class]}</span>`
      }
    </td>
    <td role="cell" data-label="First failed">${h(When, { at: run.first_failed_at })}</td>
  </tr>`;
}

/** What comes next, and when. */
function Next({ run }: { readonly run: RunSummary }): View {
  if (run.held !== null) return html`<span class="quiet">when resumed</span>`;
  if (run.reason !== null) return html`<span class="quiet">${reasonText(run.reason)}</span>`;
  if (run.due_at !== null) return html`retry ${h(Countdown, { at: run.due_at, isRough: true })}`;
  return html`<span class="quiet">look ${run.next_look_at === null ? 'when something changes' : h(Countdown, { at: run.next_look_at, isRough: true })}</span>`;
}

function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const change = () => setMatches(list.matches);
    list.addEventListener('change', change);
    return () => list.removeEventListener('change', change);
  }, [query]);
  return matches;
}
