import type { ExplainView } from '../../../http/explain-view.ts';
import { html, type View } from '../html.ts';

/** The policy that decides about this run: each value, and where it comes from. */
export function PolicyInForce({ policy }: { readonly policy: ExplainView['policy'] }): View {
  if (policy === null) return html`<p class="problem">The policy in force could not be worked out.</p>`;
  const entries = Object.entries(policy.policy);
  return html`<details class="panel policy">
    <summary><h2>Policy in force</h2> <span class="quiet">at most ${policy.max_retries} retries for this run</span></summary>
    ${!policy.tags_known && html`<p class="quiet">The Dag's tags are not known: they count for nothing.</p>`}
    ${policy.tag_problems.map(({ tag, message }) => html`<p key=${tag} class="problem"><code>${tag}</code> ${message}</p>`)}
    ${policy.clamped.map(
      ({ key, from, to, source }) =>
        html`<p key=${key} class="quiet"><code>${key}</code>: ${from} from ${source}, lowered to ${to} by the limits</p>`,
    )}
    <div class="scroll" tabindex="0" role="region" aria-label="Policy in force">
      <table>
        <thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col">From</th></tr></thead>
        <tbody>
          ${entries.map(
            ([key, { value, source }]) => html`<tr key=${key}>
              <th scope="row"><code>${key}</code></th><td><code>${valueText(value)}</code></td><td>${source}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
