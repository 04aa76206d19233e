import { h } from 'preact';
import { useId, useState } from 'preact/hooks';
import { usePage } from '../context.ts';
import { html, type View } from '../html.ts';
import { Problem } from '../loading.ts';

/** Who acts and why, and how many retries where some are granted. */
export interface Given {
  readonly actor: string;
  readonly comment: string;
  readonly retries?: number;
}

export interface ActFormProps {
  readonly confirmLabel: string;
  readonly isDangerous: boolean;
  readonly asksRetries: boolean;
  readonly isReady?: boolean;
  /** Rejects with what went wrong, which is then shown; resolves when the dialog may go. */
  readonly submit: (given: Given) => Promise<void>;
  readonly onClose: () => void;
  readonly onRetries?: (retries: number) => void;
}

const MOST_RETRIES = 100;

/** The lower part of every dialog that changes something. */
export function ActForm(props: ActFormProps): View {
  const { confirmLabel, isDangerous, asksRetries, isReady = true, submit, onClose, onRetries } = props;
  const { session } = usePage();
  const [actor, setActor] = useState(session.actor());
  const [comment, setComment] = useState('');
  const [retries, setRetries] = useState(1);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const id = useId();

  async function act(event: Event): Promise<void> {
    event.preventDefault();
    if (isBusy || !isReady) return;
    setBusy(true);
    setError(null);
    session.setActor(actor.trim());
    const given = { actor: actor.trim(), comment: comment.trim(), ...(asksRetries ? { retries } : {}) };
    await submit(given).catch(setError);
    setBusy(false);
  }

  const changeRetries = (event: InputEvent) => {
    const many = Math.min(Math.max(1, Math.round(Number(typedIn(event)) || 1)), MOST_RETRIES);
    setRetries(many);
    onRetries?.(many);
  };
  const retriesField = html`<label for="${id}retries">How many more</label>
    <input id="${id}retries" type="number" min="1" max=${MOST_RETRIES} required value=${retries} onInput=${changeRetries} />`;
  return html`<form class="act" onSubmit=${act}>
    ${asksRetries && retriesField}
    <label for="${id}actor">Your name</label>
    <input
      id="${id}actor" required maxlength="200" autocomplete="username" value=${actor}
      onInput=${(event: InputEvent) => setActor(typedIn(event))}
    />
    <label for="${id}comment">Why <span class="quiet">(shown in the timeline)</span></label>
    <textarea
      id="${id}comment" rows="2" maxlength="1000" value=${comment}
      onInput=${(event: InputEvent) => setComment(typedIn(event))}
    ></textarea>
    ${h(Problem, { error })}
    <div class="buttons">
      <button type="button" onClick=${onClose}>Keep as it is</button>
      <button type="submit" class=${isDangerous ? 'danger' : 'primary'} disabled=${isBusy || !isReady}>
        ${isBusy ? 'Working…' : confirmLabel}
      </button>
    </div>
  </form>`;
}

export function typedIn(event: Event): string {
  const { target } = event;
  const isField =
    target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
  return isField ? target.value : '';
}
