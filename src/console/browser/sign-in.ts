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
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    if (token.trim() !== '') onToken(token.trim());
  };
  return html`<form class="sign-in panel" onSubmit=${submit}>
    <h1>Sign in to dagain</h1>
    ${problem !== null && html`<p class="problem" role="alert">${problem}</p>`}
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
