import { h } from 'preact';
import type { RunView } from '../../../http/run-view.ts';
import { html, type View } from '../html.ts';
import { Link } from '../link.ts';
import { pathTo } from '../router.ts';
import { absoluteText, Countdown, When } from '../time.ts';
import { CLASS_WORDS, count, reasonText } from '../words.ts';

/** What the service keeps of the run. */
export function OurState({ run }: { readonly run: RunView }): View {
  const { due_at, next_look_at, held, paused, failure_class } = run;
  return html`<section class="panel" aria-labelledby="ours">
    <h2 id="ours">Retries</h2>
    <dl>
      <dt>Used</dt>
      <dd>${run.retries_used} of ${run.max_retries}</dd>
      <dt>Attempt</dt>
      <dd>${run.attempt}</dd>
      ${
        due_at !== null &&
        html`<dt>Retry due</dt>
          <dd>${h(Countdown, { at: due_at })} <span class="quiet">${absoluteText(Date.parse(due_at))}</span></dd>`
      }
      ${next_look_at !== null && next_look_at !== due_at && html`<dt>Next look</dt><dd>${h(Countdown, { at: next_look_at })}</dd>`}
      ${run.reason !== null && html`<dt>Given up</dt><dd>${reasonText(run.reason)} <code>${run.reason}</code></dd>`}
      ${held !== null && html`<dt>Paused</dt><dd>by ${held.actor} ${h(When, { at: held.at })}${held.comment && `: ${held.comment}`}</dd>`}
      ${
        paused !== null &&
        html`<dt>${paused.scope === '*' ? 'All paused' : 'Dag paused'}</dt>
          <dd>by ${paused.actor} ${h(When, { at: paused.at })}${paused.comment && `: ${paused.comment}`} ${h(Link, { to: pathTo('dags'), children: 'Dags' })}</dd>`
      }
      ${failure_class !== null && html`<dt>Class</dt><dd>${CLASS_WORDS[failure_class]}</dd>`}
      <dt>First failed</dt>
      <dd>${h(When, { at: run.first_failed_at, style: 'both' })}</dd>
      ${run.pending_alerts > 0 && html`<dt>Alerts</dt><dd>${count(run.pending_alerts, 'alert')} not accepted yet</dd>`}
    </dl>
  </section>`;
}
