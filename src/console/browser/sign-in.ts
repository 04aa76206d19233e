import { useEffect, useRef, useState } from 'preact/hooks';
import { typedIn } from './dialogs/act-form.ts';
import { html, type View } from './html.ts';

export interface SignInProps {
  /** What was wrong with the token before, or null. */
  readonly problem: string | null;
  readonly onToken: (token: string) => void;
}

/** Asks for the operator's token; it is kept in this tab until it is closed. */
export function SignIn({ problem, onToken }: SignInProps): View {
  const [token, setToken] = useState('');
  const [flaw, setFlaw] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const given = token.trim();
    // No header can hold it: the browser would not send a single request.
    const isSendable = /^[\x21-\x7e]+$/.test(given);
    setFlaw(isSendable ? null : 'A token holds no blanks, control characters or letters beyond ASCII; this one does.');
    if (isSendable) onToken(given);
  };
  const wrong = flaw ?? problem;
  return html`<form class="sign-in panel" onSubmit=${submit}>
    <h1>Sign in to dagain</h1>
    ${wrong !== null && html`<p class="problem" role="alert">${wrong}</p>`}
    <label for="token">Operator token</label>
    <input
      id="token" ref=${field} type="password" required autocomplete="current-password" value=${token}
      aria-describedby="token-help" onInput=${(event: InputEvent) => setToken(typedIn(event))}
    />
    <p id="token-help" class="quiet">
      The value of <code>DAGAIN_OPERATOR_TOKEN</code>. It stays in this tab, and is gone when the tab is closed.
    </p>
    <div class="buttons"><button type="submit" class="primary">Sign in</button></div>
  </form>`;
}
