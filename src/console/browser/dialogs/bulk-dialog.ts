import { h } from 'preact';
import { useState } from 'preact/hooks';
import type { BulkView } from '../../../http/bulk.ts';
import { ACTION_WORDS, type Action, doneText, runsText } from '../actions.ts';
import { usePage } from '../context.ts';
import { html, type View } from '../html.ts';
import { Problem, useLoaded, Waiting } from '../loading.ts';
import type { BulkFilter } from '../runs/filter.ts';
import { PHASE_WORDS, reasonText } from '../words.ts';
import { ActForm, type Given } from './act-form.ts';
import { Dialog } from './dialog.ts';

export interface BulkDialogProps {
  readonly action: Action;
  readonly filter: BulkFilter;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** As much as the service takes: the preview is to show how many match, whatever their number. */
const NO_BOUND = 1_000_000;

/** Shows what an action would do to all runs that match, and does it. */
export function BulkDialog({ action, filter, onClose, onDone }: BulkDialogProps): View {
  const { api, announce, session } = usePage();
  const { label, effect, isDangerous } = ACTION_WORDS[action];
  const [retries, setRetries] = useState(1);
  const granted = action === 'grant' ? { retries } : {};
  const { data: preview, error } = useLoaded(`${action} ${retries} ${JSON.stringify(filter)}`, () => {
    const actor = session.actor() || 'preview';
    return api.post<BulkView>('v1/runs/bulk', { action, filter, actor, dry_run: true, max_runs: NO_BOUND, ...granted });
  });

  async function submit(given: Given): Promise<void> {
    // Not one run more than the preview showed.
    const max_runs = preview?.matched ?? 0;
    const done = await api.post<BulkView>('v1/runs/bulk', { action, filter, ...given, dry_run: false, max_runs });
    announce(doneText(action, runsText(done.changed), done.changed));
    onDone();
    onClose();
  }
  const changed = preview?.changed ?? 0;
  const children = html`<p>${effect}</p>
    ${action === 'grant' && html`<p>Many at once are granted more only where they were given up.</p>`}
    ${preview === null ? error === null && h(Waiting, { what: 'the preview' }) : h(Preview, { preview })}
    ${h(Problem, { error })}
    ${h(ActForm, {
      confirmLabel: preview === null ? label : `${label}: ${runsText(changed)}`,
      isDangerous,
      asksRetries: action === 'grant',
      isReady: changed > 0,
      submit,
      onClose,
      onRetries: setRetries,
    })}`;
  return h(Dialog, { title: `${label}: all that match?`, onClose, children });
}

/** What would become of the runs that match. */
function Preview({ preview }: { readonly preview: BulkView }): View {
  const { matched, changed, outcomes, sample, is_complete } = preview;
  return html`<div class="preview">
    <p><strong>${runsText(changed)}</strong> of ${matched.toLocaleString()} that match would change.</p>
    ${!is_complete && html`<p class="problem">More match than one action may change; the rest is left as it is.</p>`}
    <ul>
      ${outcomes.map(
        ({ decision, reason, count }) =>
          html`<li key=${decision + reason}>${count.toLocaleString()} × ${reasonText(decision)}: ${reasonText(reason)}</li>`,
      )}
      ${is_complete && changed < matched && html`<li>${(matched - changed).toLocaleString()} of these would stay as they are</li>`}
    </ul>
    <details>
      <summary>The first ${sample.length}</summary>
      <ul class="ids">
        ${sample.map(
          (run) => html`<li key=${`${run.dag_id}/${run.dag_run_id}`}>
            <strong>${run.dag_id}</strong> ${run.dag_run_id}
            <span class="quiet">${PHASE_WORDS[run.phase].label}: ${reasonText(run.reason)}</span>
          </li>`,
        )}
      </ul>
    </details>
  </div>`;
}
