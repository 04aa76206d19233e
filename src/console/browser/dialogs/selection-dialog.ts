import { h } from 'preact';
import { useState } from 'preact/hooks';
import type { OperationView } from '../../../http/operations.ts';
import { ACTION_WORDS, type Action, doneText, runsText } from '../actions.ts';
import { messageOf } from '../advice.ts';
import { ApiError, runPath } from '../api.ts';
import { usePage } from '../context.ts';
import { html, type View } from '../html.ts';
import type { RunId } from '../live.ts';
import { ActForm, type Given } from './act-form.ts';
import { Dialog } from './dialog.ts';

export interface SelectionDialogProps {
  readonly action: Action;
  readonly runs: readonly RunId[];
  readonly onClose: () => void;
  readonly onDone: () => void;
}

const SHOWN = 20;

/** Does one action to runs that were picked by hand, one after the other, and says which of them would not have it. */
export function SelectionDialog({ action, runs, onClose, onDone }: SelectionDialogProps): View {
  const { api, announce } = usePage();
  const { label, effect, isDangerous } = ACTION_WORDS[action];
  const [progress, setProgress] = useState(0);
  const [refused, setRefused] = useState<readonly { readonly run: RunId; readonly why: string }[] | null>(null);

  async function submit(given: Given): Promise<void> {
    const failed: { run: RunId; why: string }[] = [];
    for (const [index, run] of runs.entries()) {
      setProgress(index + 1);
      try {
        await api.post<OperationView>(`${runPath(run)}/${action}`, given);
      } catch (error) {
        // Nothing that follows would fare better without an answer or a right to ask.
        const isOfThisRun = error instanceof ApiError && (error.status === 404 || error.status === 409);
        if (!isOfThisRun) throw error;
        failed.push({ run, why: messageOf(error) });
      }
    }
    announce(doneText(action, runsText(runs.length - failed.length), runs.length - failed.length));
    onDone();
    if (failed.length === 0) onClose();
    else setRefused(failed);
  }

  if (refused !== null) {
    const children = html`<ul class="ids">
        ${refused.map(({ run, why }) => html`<li key=${runPath(run)}><strong>${run.dag_id}</strong> ${run.dag_run_id}: ${why}</li>`)}
      </ul>
      <div class="buttons"><button type="button" class="primary" onClick=${onClose}>Close</button></div>`;
    return h(Dialog, { title: `Not possible for ${runsText(refused.length)}`, onClose, children });
  }
  const rest = runs.length - SHOWN;
  const children = html`<p>${effect}</p>
    <ul class="ids preview">
      ${runs.slice(0, SHOWN).map((run) => html`<li key=${runPath(run)}><strong>${run.dag_id}</strong> ${run.dag_run_id}</li>`)}
      ${rest > 0 && html`<li>and ${rest} more</li>`}
    </ul>
    ${progress > 0 && html`<p role="status">${progress} of ${runs.length}</p>`}
    ${h(ActForm, {
      confirmLabel: `${label}: ${runsText(runs.length)}`,
      isDangerous,
      asksRetries: action === 'grant',
      submit,
      onClose,
    })}`;
  return h(Dialog, { title: `${label}: ${runsText(runs.length)}?`, onClose, children });
}
