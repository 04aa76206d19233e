import { h } from 'preact';
import type { OperationView } from '../../../http/operations.ts';
import type { RunSummary } from '../../../http/run-view.ts';
import { ACTION_WORDS, type Action, doneText } from '../actions.ts';
import { runPath } from '../api.ts';
import { usePage } from '../context.ts';
import { html, type View } from '../html.ts';
import { When } from '../time.ts';
import { wordsOfRun } from '../words.ts';
import { ActForm, type Given } from './act-form.ts';
import { Dialog } from './dialog.ts';

export interface RunDialogProps {
  readonly run: Omit<RunSummary, 'last_failure'>;
  readonly action: Action;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Asks before an action on one run. */
export function RunDialog({ run, action, onClose, onDone }: RunDialogProps): View {
  const { api, announce } = usePage();
  const { label, effect, isDangerous } = ACTION_WORDS[action];
  async function submit(given: Given): Promise<void> {
    const { run: after } = await api.post<OperationView>(`${runPath(run)}/${action}`, given);
    const counted = action === 'grant' && after !== null ? `: ${usedText(after)}` : '';
    announce(`${doneText(action, run.dag_run_id)}${counted}`);
    onDone();
    onClose();
  }
  const children = html`<p class="ids"><strong>${run.dag_id}</strong> ${run.dag_run_id}</p>
    <p>${effect}</p>
    <p class="quiet">Now: ${nowText(run)} ${run.due_at !== null && html`The retry is due ${h(When, { at: run.due_at })}.`}</p>
    ${h(ActForm, { confirmLabel: label, isDangerous, asksRetries: action === 'grant', submit, onClose })}`;
  return h(Dialog, { title: `${label}?`, onClose, children });
}

function nowText(run: RunDialogProps['run']): string {
  const { label, meaning } = wordsOfRun(run);
  return `${label.toLowerCase()} (${meaning}); ${usedText(run)}.`;
}

function usedText({ retries_used, max_retries }: Pick<RunSummary, 'retries_used' | 'max_retries'>): string {
  return `${retries_used} of ${max_retries} retries used`;
}
