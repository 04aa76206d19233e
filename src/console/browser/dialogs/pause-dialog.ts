import { h } from 'preact';
import type { PauseAnswer } from '../../../http/dags.ts';
import { usePage } from '../context.ts';
import { html, type View } from '../html.ts';
import { ActForm, type Given } from './act-form.ts';
import { Dialog } from './dialog.ts';

export interface PauseDialogProps {
  /** A Dag id, or `*` for everything. */
  readonly scope: string;
  readonly action: 'pause' | 'resume';
  readonly onClose: () => void;
  readonly onDone: () => void;
}

const EFFECTS = {
  pause: 'No clear is sent until somebody resumes them. Failures are still taken and counted, and runs still watched.',
  resume: 'Retries that have come due meanwhile are sent within a minute, all of them.',
};

/** Asks before the retries of a Dag, or all, are paused or resumed. */
export function PauseDialog({ scope, action, onClose, onDone }: PauseDialogProps): View {
  const { api, announce } = usePage();
  const what = scopeText(scope);
  const verb = action === 'pause' ? 'Pause' : 'Resume';
  async function submit(given: Given): Promise<void> {
    const path = scope === '*' ? `v1/${action}` : `v1/dags/${encodeURIComponent(scope)}/${action}`;
    const { changed } = await api.post<PauseAnswer>(path, given);
    announce(
      changed ? `${verb}d ${what}` : `Nothing to change: ${what} ${action === 'pause' ? 'was' : 'was not'} paused`,
    );
    onDone();
    onClose();
  }
  const children = html`<p>${EFFECTS[action]}</p>
    ${h(ActForm, { confirmLabel: `${verb} retries`, isDangerous: false, asksRetries: false, submit, onClose })}`;
  return h(Dialog, { title: `${verb} ${what}?`, onClose, children });
}

export function scopeText(scope: string): string {
  return scope === '*' ? 'the retries of every Dag' : `the retries of ${scope}`;
}
