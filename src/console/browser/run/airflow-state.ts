import { h } from 'preact';
import type { ExplainView } from '../../../http/explain-view.ts';
import { Badge } from '../badge.ts';
import { html, type View } from '../html.ts';
import { When } from '../time.ts';
import { reasonText, type Tone } from '../words.ts';

const STATE_TONES: Readonly<Record<'queued' | 'running' | 'success' | 'failed', Tone>> = {
  queued: 'wait',
  running: 'busy',
  success: 'good',
  failed: 'bad',
};

/** What Airflow itself says of the run, now. */
export function AirflowState({ explained }: { readonly explained: ExplainView }): View {
  const url = webUrl(explained.run?.airflow_url ?? null);
  return html`<section class="panel" aria-labelledby="airflow">
    <h2 id="airflow">In Airflow</h2>
    ${h(Observed, { seen: explained.orchestrator })}
    ${url !== null && html`<p><a href=${url} target="_blank" rel="noreferrer">Open the run in Airflow</a></p>`}
    ${h(AuditLog, { log: explained.audit_log })}
  </section>`;
}

/** Only what a browser opens as a page: no `javascript:`, wherever it came from. */
export function webUrl(text: string | null): string | null {
  if (text === null || !URL.canParse(text)) return null;
  return ['http:', 'https:'].includes(new URL(text).protocol) ? text : null;
}

function Observed({ seen }: { readonly seen: ExplainView['orchestrator'] }): View {
  switch (seen.status) {
    case 'missing':
      return html`<p>Airflow knows no such run.</p>`;
    case 'unavailable':
      return html`<p class="problem"><strong>Airflow cannot be asked:</strong> ${reasonText(seen.reason)} <span>${seen.detail}</span></p>`;
    case 'found':
      return html`<dl>
        <dt>State</dt>
        <dd>${h(Badge, { tone: STATE_TONES[seen.state], label: seen.state })}</dd>
        ${seen.run_type !== null && html`<dt>Type</dt><dd>${seen.run_type}</dd>`}
        <dt>Queued</dt>
        <dd>${h(When, { at: seen.queued_at })}</dd>
        <dt>Started</dt>
        <dd>${h(When, { at: seen.started_at })}</dd>
        <dt>Ended</dt>
        <dd>${seen.ended_at === null ? html`<span class="quiet">not yet</span>` : h(When, { at: seen.ended_at, style: 'both' })}</dd>
      </dl>`;
  }
}

/** Who has cleared or marked the run, by Airflow's own log. */
function AuditLog({ log }: { readonly log: ExplainView['audit_log'] }): View {
  if (log.status === 'unavailable') return html`<p class="quiet">Airflow's audit log cannot be read.</p>`;
  if (log.entries.length === 0) return html`<p class="quiet">Airflow's audit log shows no clear and no mark.</p>`;
  return html`<h3>Audit log</h3>
    <ul class="audit">
      ${log.entries.map(
        ({ at, action, by, is_ours, task_id }, index) => html`<li key=${index}>
          ${h(When, { at })}: ${reasonText(action)} by ${is_ours ? 'dagain' : (by ?? 'somebody')}
          ${task_id !== null && html` <span class="quiet">task ${task_id}</span>`}
        </li>`,
      )}
    </ul>`;
}
