import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { typedIn } from './dialogs/act-form.ts';
import { html, type View } from './html.ts';

/** So long after the last key is what was typed taken. */
const TYPING_MS = 300;

export interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly hint?: string;
  readonly type?: 'search' | 'text';
  readonly onValue: (value: string) => void;
}

/** A field of a filter, whose value stands in the address. */
export function TextField({ label, value, hint, type = 'search', onValue }: TextFieldProps): View {
  const id = useId();
  const [typed, setTyped] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const typeIn = (event: InputEvent) => {
    const text = typedIn(event);
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onValue(text.trim()), TYPING_MS);
  };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input id=${id} type=${type} value=${typed} placeholder=${hint} autocomplete="off" spellcheck=${false} onInput=${typeIn} />
  </div>`;
}

export interface ChoiceFieldProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, label: string])[];
  readonly onValue: (value: string) => void;
}

export function ChoiceField({ label, value, options, onValue }: ChoiceFieldProps): View {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} value=${value} onChange=${(event: Event) => onValue(typedIn(event))}>
      ${options.map(([one, text]) => html`<option key=${one} value=${one} selected=${one === value}>${text}</option>`)}
    </select>
  </div>`;
}

/** The query with some fields changed; an empty one goes. */
export function withFields(query: URLSearchParams, changes: Readonly<Record<string, string>>): Record<string, string> {
  return { ...Object.fromEntries(query), ...changes };
}
