import { h } from 'preact';
import { useState } from 'preact/hooks';
import type { ExplainView } from '../../../http/explain-view.ts';
import { ACTION_WORDS, type Action, actionsFor } from '../actions.ts';
import { runPath } from '../api.ts';
import { Badge, PhaseBadge } from '../badge.ts';
import { usePage } from '../context.ts';
import { RunDialog } from '../dialogs/run-dialog.ts';
import { html, type View } from '../html.ts';
import { Link } from '../link.ts';
import { Problem, useLoaded, Waiting } from '../loading.ts';
import { pathTo } from '../router.ts';
import { VERDICT_WORDS, wordsOfRun } from '../words.ts';
import { AirflowState } from './airflow-state.ts';
import { Failures } from './failures.ts';
import { OurState } from './our-state.ts';
import { PolicyInForce } from './policy.ts';
import { Timeline } from './timeline.ts';

export interface RunViewProps {
  readonly dagId: string;
  readonly dagRunId: string;
}

/** One run: where it stands and why, what has happened, and what can be done. */
export function RunView({ dagId, dagRunId }: RunViewProps): View {
  const { api } = usePage();
  const id = { dag_id: dagId, dag_run_id: dagRunId };
  const path = `${runPath(id)}/explain`;
  const concerns = (runs: readonly { dag_id: string; dag_run_id: string }[] | null) =>
    runs === null || runs.some((run) => run.dag_id === dagId && run.dag_run_id === dagRunId);
  const { data, error, reload } = useLoaded(path, (signal) => api.get<ExplainView>(path, {}, signal), concerns);
  return html`<p class="crumbs">
      ${h(Link, { to: pathTo('runs'), children: 'Runs' })} /
      ${' '}${h(Link, { to: pathTo('runs', { dag_id: dagId }), children: dagId })}
    </p>
    <h1 class="run-title">${dagId}<span>${dagRunId}</span></h1>
    ${h(Problem, { error })} ${data === null && error === null && h(Waiting, { what: 'the run' })}
    ${data !== null && h(Explained, { explained: data, reload })}`;
}

interface ExplainedProps {
  readonly explained: ExplainView;
  readonly reload: () => void;
}

function Explained({ explained, reload }: ExplainedProps): View {
  const { run, verdict, summary, because, advice } = explained;
  const { label, tone } = run !== null && verdict === 'gave_up' ? wordsOfRun(run) : VERDICT_WORDS[verdict];
  return html`<section class="panel verdict ${tone}" aria-labelledby="verdict">
      <div class="heading">
        <h2 id="verdict">${run === null ? h(Badge, { tone, label }) : h(PhaseBadge, { run })} <span class="unseen">${label}</span></h2>
        ${run !== null && h(Actions, { run, reload })}
      </div>
      <p class="summary">${summary}</p>
      <div class="pair">
        ${because.length > 0 && html`<div><h3>Why</h3><ul>${because.map((line) => html`<li key=${line}>${withCode(line)}</li>`)}</ul></div>`}
        ${advice.length > 0 && html`<div><h3>What you can do</h3><ul>${advice.map((line) => html`<li key=${line}>${withCode(line)}</li>`)}</ul></div>`}
      </div>
    </section>
    <div class="pair">
      ${run !== null && h(OurState, { run })}
      ${h(AirflowState, { explained })}
    </div>
    ${run !== null && h(Failures, { failures: run.failures })}
    ${h(Timeline, { explained })}
    ${h(PolicyInForce, { policy: explained.policy })}`;
}

function Actions({
  run,
  reload,
}: {
  readonly run: NonNullable<ExplainView['run']>;
  readonly reload: () => void;
}): View {
  const [action, setAction] = useState<Action | null>(null);
  return html`<div class="buttons" role="group" aria-label="Act on this run">
    ${actionsFor(run).map(
      (one) => html`<button
        key=${one} class=${ACTION_WORDS[one].isDangerous ? 'danger' : undefined} onClick=${() => setAction(one)}
      >${ACTION_WORDS[one].label}…</button>`,
    )}
    ${action !== null && h(RunDialog, { run, action, onClose: () => setAction(null), onDone: reload })}
  </div>`;
}

/** Commands stand between backticks. */
function withCode(text: string): View {
  return text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));
}
