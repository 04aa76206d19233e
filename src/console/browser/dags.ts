import { h } from 'preact';
import { useState } from 'preact/hooks';
import type { Phase } from '../../core/record.ts';
import type { DagPage, DagView } from '../../http/dags.ts';
import type { Api } from './api.ts';
import { Badge } from './badge.ts';
import { usePage } from './context.ts';
import { typedIn } from './dialogs/act-form.ts';
import { PauseDialog, type PauseDialogProps } from './dialogs/pause-dialog.ts';
import { html, type View } from './html.ts';
import { Link } from './link.ts';
import { Problem, useLoaded, Waiting } from './loading.ts';
import { pathTo } from './router.ts';
import { When } from './time.ts';
import { PHASE_ORDER, PHASE_WORDS } from './words.ts';

type Asked = Pick<PauseDialogProps, 'scope' | 'action'>;

/** Enough for any Airflow; more would not be read anyway. */
const MAX_PAGES = 20;

/** The Dags that are being retried, or whose retries are paused. */
export function DagsView(): View {
  const { api } = usePage();
  const { data: dags, error, reload } = useLoaded('dags', () => readDags(api));
  const [text, setText] = useState('');
  const [asked, setAsked] = useState<Asked | null>(null);
  const wanted = text.trim().toLowerCase();
  const shown = dags?.filter(({ dag_id }) => dag_id.toLowerCase().includes(wanted)) ?? [];
  const isAllPaused = dags?.some(({ paused }) => paused?.scope === '*') ?? false;
  return html`<div class="heading">
      <h1>Dags</h1>
      <button onClick=${() => setAsked({ scope: '*', action: isAllPaused ? 'resume' : 'pause' })}>
        ${isAllPaused ? 'Resume everything' : 'Pause everything'}
      </button>
    </div>
    <p class="quiet">Those with a run that is being retried or was given up, and those whose retries are paused.</p>
    <div class="filters" role="search">
      <label for="dag-text">Find a Dag</label>
      <input id="dag-text" type="search" value=${text} onInput=${(event: InputEvent) => setText(typedIn(event))} />
    </div>
    ${h(Problem, { error })} ${dags === null && error === null && h(Waiting, { what: 'the Dags' })}
    ${dags !== null && shown.length === 0 && html`<p class="empty">No Dag to show.</p>`}
    ${shown.length > 0 && h(DagTable, { dags: shown, ask: setAsked })}
    ${asked !== null && h(PauseDialog, { ...asked, onClose: () => setAsked(null), onDone: reload })}`;
}

async function readDags(api: Api): Promise<DagView[]> {
  const dags: DagView[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const page: DagPage = await api.get<DagPage>('v1/dags', { limit: 500, cursor });
    dags.push(...page.dags);
    cursor = page.next_cursor;
    if (cursor === null) break;
  }
  return dags;
}

function DagTable({ dags, ask }: { readonly dags: readonly DagView[]; readonly ask: (asked: Asked) => void }): View {
  return html`<table class="cards" role="table">
    <thead role="rowgroup">
      <tr role="row">
        <th role="columnheader" scope="col">Dag</th>
        <th role="columnheader" scope="col">Runs by phase</th>
        <th role="columnheader" scope="col">Paused</th>
        <th role="columnheader" scope="col"><span class="unseen">Actions</span></th>
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${dags.map((dag) => h(DagRow, { key: dag.dag_id, dag, ask }))}
    </tbody>
  </table>`;
}

function DagRow({ dag, ask }: { readonly dag: DagView; readonly ask: (asked: Asked) => void }): View {
  const { dag_id: scope, paused, held } = dag;
  const isOwnPause = paused?.scope === scope;
  const action = isOwnPause ? 'resume' : 'pause';
  return html`<tr role="row">
    <td role="cell" class="id">${h(Link, { to: pathTo('runs', { dag_id: scope }), children: scope })}</td>
    <td role="cell" data-label="Runs">
      <span class="counts">
        ${PHASE_ORDER.map((phase) => h(PhaseCount, { key: phase, dag, phase }))}
        ${held > 0 && html`<span class="quiet">${held} of them paused</span>`}
      </span>
    </td>
    <td role="cell" data-label="Paused">
      ${
        paused === null
          ? html`<span class="quiet">no</span>`
          : html`${h(Badge, { tone: 'wait', label: isOwnPause ? 'Paused' : 'With everything' })}
              <span class="quiet">by ${paused.actor} ${h(When, { at: paused.at })}${paused.comment && `: ${paused.comment}`}</span>`
      }
    </td>
    <td role="cell" class="do">
      <button onClick=${() => ask({ scope, action })} aria-label=${`${action} the retries of ${scope}`}>
        ${isOwnPause ? 'Resume' : 'Pause'}
      </button>
    </td>
  </tr>`;
}

function PhaseCount({ dag, phase }: { readonly dag: DagView; readonly phase: Phase }): View {
  const many = dag.phases[phase];
  if (many === 0) return null;
  const { label, tone } = PHASE_WORDS[phase];
  const children = h(Badge, { tone, label: `${many} ${label.toLowerCase()}` });
  return h(Link, { to: pathTo('runs', { dag_id: dag.dag_id, phase }), children });
}
