import { h } from 'preact';
import { useState } from 'preact/hooks';
import type { PauseView } from '../../../http/pause-view.ts';
import type { StatsView } from '../../../http/stats.ts';
import type { StatusView } from '../../../http/status.ts';
import { Badge } from '../badge.ts';
import { usePage } from '../context.ts';
import { PauseDialog, type PauseDialogProps, scopeText } from '../dialogs/pause-dialog.ts';
import { ChoiceField } from '../fields.ts';
import { html, type View } from '../html.ts';
import { Link } from '../link.ts';
import { Problem, useLoaded, Waiting } from '../loading.ts';
import { pathTo } from '../router.ts';
import { When } from '../time.ts';
import { PHASE_ORDER, PHASE_WORDS } from '../words.ts';
import { Charts } from './charts.ts';
import { NeedsPerson } from './needs-person.ts';
import { TopDags, TopTasks } from './rankings.ts';

const WINDOWS = [
  ['1h', 'Last hour'],
  ['6h', 'Last 6 hours'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
] as const;

/** What needs a person, what is being retried, and how it went lately. */
export function OverviewView({ query }: { readonly query: URLSearchParams }): View {
  const { api, router } = usePage();
  const window = query.get('window') ?? '24h';
  const stats = useLoaded(`stats ${window}`, (signal) => api.get<StatsView>('v1/stats', { window }, signal));
  const status = useLoaded('status', (signal) => api.get<StatusView>('v1/status', {}, signal));
  const choose = (chosen: string) => router.go(pathTo('', { window: chosen }), { replace: true });
  return html`<h1 class="unseen">Overview</h1>
    ${h(Problem, { error: stats.error ?? status.error })}
    ${status.data !== null && h(Trouble, { status: status.data })}
    ${status.data !== null && h(Paused, { pauses: status.data.pauses, onDone: status.reload })}
    ${stats.data === null && stats.error === null && h(Waiting, { what: 'the figures' })}
    ${stats.data !== null && h(Phases, { current: stats.data.current })}
    ${h(NeedsPerson, {})}
    <section aria-labelledby="lately">
      <div class="heading">
        <h2 id="lately">How it went</h2>
        ${h(ChoiceField, { label: 'Time', value: window, options: WINDOWS, onValue: choose })}
      </div>
      ${
        stats.data !== null &&
        html`${h(Charts, { stats: stats.data })}
          <div class="pair">${h(TopDags, { dags: stats.data.top_dags })} ${h(TopTasks, { tasks: stats.data.top_tasks })}</div>`
      }
    </section>`;
}

/** Airflow cannot be reached: said first, because nothing is retried until it can. */
function Trouble({ status: { orchestrator } }: { readonly status: StatusView }): View {
  if (orchestrator.status === 'reachable') return null;
  return html`<p class="bar stale" role="alert">
    <strong>Airflow cannot be reached.</strong> Failures are taken and kept; retries wait until it answers.
    <span class="quiet">${orchestrator.reason}</span>
  </p>`;
}

function Phases({ current }: { readonly current: StatsView['current'] }): View {
  return html`<section aria-labelledby="now">
    <h2 id="now">Now</h2>
    <ul class="tiles">
      ${PHASE_ORDER.map((phase) => {
        const { label, tone, meaning } = PHASE_WORDS[phase];
        const children = html`<span class="figure">${current.phases[phase].toLocaleString()}</span>
          ${h(Badge, { tone, label })} <span class="quiet meaning">${meaning}</span>`;
        return html`<li key=${phase}>${h(Link, { to: pathTo('runs', { phase }), children })}</li>`;
      })}
    </ul>
    <p class="quiet">
      ${current.held.toLocaleString()} paused one by one · ${current.due.toLocaleString()} due now ·
      ${' '}${current.pending_alerts.toLocaleString()} alerts not accepted yet
    </p>
  </section>`;
}

type Asked = Pick<PauseDialogProps, 'scope' | 'action'>;

function Paused({ pauses, onDone }: { readonly pauses: readonly PauseView[]; readonly onDone: () => void }): View {
  const [asked, setAsked] = useState<Asked | null>(null);
  const dialog = asked !== null && h(PauseDialog, { ...asked, onClose: () => setAsked(null), onDone });
  if (pauses.length === 0) return dialog;
  return html`<section class="panel paused" aria-labelledby="paused">
    <h2 id="paused">Paused</h2>
    <ul>
      ${pauses.map(
        ({ scope, actor, comment, at }) => html`<li key=${scope}>
          <span><strong>${scope === '*' ? 'Everything' : scope}</strong>
            <span class="quiet"> by ${actor} ${h(When, { at })}${comment !== '' && `: ${comment}`}</span></span>
          <button onClick=${() => setAsked({ scope, action: 'resume' })} aria-label=${`Resume ${scopeText(scope)}`}>Resume</button>
        </li>`,
      )}
    </ul>
    ${dialog}
  </section>`;
}
