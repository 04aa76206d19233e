import { h } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { ACTION_WORDS, type Action, ALL_ACTIONS, runsText } from '../actions.ts';
import { usePage } from '../context.ts';
import { typedIn } from '../dialogs/act-form.ts';
import { BulkDialog } from '../dialogs/bulk-dialog.ts';
import { SelectionDialog } from '../dialogs/selection-dialog.ts';
import { withFields } from '../fields.ts';
import { html, type View } from '../html.ts';
import { Problem, Waiting } from '../loading.ts';
import { pathTo } from '../router.ts';
import { bulkFilterOf, containsText, SORTS, servedPart, sorted } from './filter.ts';
import { Filters } from './filters.ts';
import { idOf, useRunList } from './run-list.ts';
import { RunTable } from './table.ts';

interface Asked {
  readonly action: Action;
  readonly what: 'selected' | 'matching';
}

/** Every run that is being retried or was given up. */
export function RunsView({ query }: { readonly query: URLSearchParams }): View {
  const { router } = usePage();
  const served = servedPart(query);
  const text = query.get('text') ?? '';
  const sort = SORTS.find((one) => one === query.get('sort')) ?? 'failed';
  const { runs, isComplete, error, reload } = useRunList(served);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState<Asked | null>(null);
  const shown = useMemo(
    () =>
      sorted(
        (runs ?? []).filter((run) => containsText(run, text)),
        sort,
      ),
    [runs, text, sort],
  );
  const chosen = shown.filter((run) => selected.has(idOf(run)));

  const change = (changes: Record<string, string>) =>
    router.go(pathTo('runs', withFields(router.current().query, changes)), { replace: true });
  const select = (ids: readonly string[], isSelected: boolean) => {
    const next = new Set(selected);
    for (const id of ids) isSelected ? next.add(id) : next.delete(id);
    setSelected(next);
  };
  const done = () => {
    setSelected(new Set());
    reload();
  };
  const close = () => setAsked(null);
  const howMany =
    runs === null ? '' : `${runsText(shown.length)}${isComplete ? '' : ' and more: narrow the filter to see the rest'}`;
  return html`<h1>Runs</h1>
    ${h(Filters, { query, onChange: change })}
    <div class="heading actions">
      <p role="status" class="quiet">${howMany}</p>
      ${shown.length > 0 && h(ActionBar, { chosen: chosen.length, matching: text === '' ? shown.length : null, ask: setAsked })}
    </div>
    ${h(Problem, { error })} ${runs === null && error === null && h(Waiting, { what: 'the runs' })}
    ${runs !== null && shown.length === 0 && html`<p class="empty">No run matches. Runs that succeed leave this list; the events tell of them.</p>`}
    ${shown.length > 0 && h(RunTable, { runs: shown, selected, onSelect: select })}
    ${
      asked?.what === 'selected' &&
      h(SelectionDialog, { action: asked.action, runs: chosen, onClose: close, onDone: done })
    }
    ${
      asked?.what === 'matching' &&
      h(BulkDialog, { action: asked.action, filter: bulkFilterOf(served, asked.action), onClose: close, onDone: done })
    }`;
}

interface ActionBarProps {
  readonly chosen: number;
  /** How many the service's filter matches; null where a text narrows it, which the service does not know. */
  readonly matching: number | null;
  readonly ask: (asked: Asked) => void;
}

function ActionBar({ chosen, matching, ask }: ActionBarProps): View {
  const [action, setAction] = useState<Action>('pause');
  const choose = (event: Event) => setAction(ALL_ACTIONS.find((one) => one === typedIn(event)) ?? 'pause');
  return html`<div class="bulk" role="group" aria-label="Act on several runs">
    <select aria-label="Action" value=${action} onChange=${choose}>
      ${ALL_ACTIONS.map((one) => html`<option key=${one} value=${one}>${ACTION_WORDS[one].label}</option>`)}
    </select>
    <button disabled=${chosen === 0} onClick=${() => ask({ action, what: 'selected' })}>
      ${chosen === 0 ? 'Selected' : `${chosen} selected`}…
    </button>
    ${matching !== null && html`<button onClick=${() => ask({ action, what: 'matching' })}>All that match…</button>`}
  </div>`;
}
