import { h } from 'preact';
import type { RunSummary } from '../../../http/run-view.ts';
import type { RunSummaryPage } from '../../../http/runs.ts';
import { PhaseBadge } from '../badge.ts';
import { usePage } from '../context.ts';
import { html, type View } from '../html.ts';
import { Link } from '../link.ts';
import { Problem, useLoaded } from '../loading.ts';
import { pathTo, pathToRun } from '../router.ts';
import { When } from '../time.ts';
import { needsPerson, reasonText } from '../words.ts';

const SHOWN = 5;

/** Runs that were given up, the latest failures first. */
export function NeedsPerson(): View {
  const { api } = usePage();
  const { data, error } = useLoaded('needs a person', (signal) =>
    api.get<RunSummaryPage>('v1/runs', { phase: 'giving_up,gave_up', view: 'summary', limit: 500 }, signal),
  );
  const runs = data?.runs.filter(needsPerson).sort(byLatest) ?? [];
  const isMore = runs.length > SHOWN || data?.next_cursor != null;
  return html`<section aria-labelledby="person">
    <h2 id="person">Needs a person</h2>
    ${h(Problem, { error })}
    ${data !== null && runs.length === 0 && html`<p class="empty">Nothing: no run has been given up.</p>`}
    ${
      runs.length > 0 &&
      html`<ul class="rows">
        ${runs.slice(0, SHOWN).map((run) => h(Row, { key: `${run.dag_id}/${run.dag_run_id}`, run }))}
      </ul>`
    }
    ${
      isMore &&
      html`<p>
        ${h(Link, { to: pathTo('runs', { phase: 'giving_up,gave_up' }), children: 'All that were given up' })}
        ${data?.next_cursor != null && html` <span class="quiet">(above: the latest of the first 500 by Dag)</span>`}
      </p>`
    }
  </section>`;
}

function byLatest(a: RunSummary, b: RunSummary): number {
  return (b.last_failure?.failed_at ?? '').localeCompare(a.last_failure?.failed_at ?? '');
}

function Row({ run }: { readonly run: RunSummary }): View {
  const failure = run.last_failure;
  return html`<li>
    <span class="id">${h(Link, { to: pathToRun(run), children: html`<strong>${run.dag_id}</strong><span class="quiet">${run.dag_run_id}</span>` })}</span>
    <span>${h(PhaseBadge, { run })}</span>
    <span>${run.reason !== null && reasonText(run.reason)}</span>
    <span class="two">
      <span>${failure !== null && (failure.task_id ?? 'the run as a whole')}</span>
      <span class="quiet">${failure?.exception_type}</span>
    </span>
    <span class="quiet">${h(When, { at: failure?.failed_at ?? run.first_failed_at })}</span>
  </li>`;
}
