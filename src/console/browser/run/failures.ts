import { h } from 'preact';
import type { RunView } from '../../../http/run-view.ts';
import { html, type View } from '../html.ts';
import { When } from '../time.ts';
import { CLASS_WORDS } from '../words.ts';
import { webUrl } from './airflow-state.ts';

/** What failed in the present attempt, in the tasks' own words. */
export function Failures({ failures }: { readonly failures: RunView['failures'] }): View {
  if (failures.length === 0) return null;
  return html`<section class="panel" aria-labelledby="failures">
    <h2 id="failures">What failed</h2>
    <ul class="failures">
      ${failures.map((failure) => h(OneFailure, { key: failure.id, failure }))}
    </ul>
  </section>`;
}

function OneFailure({ failure }: { readonly failure: RunView['failures'][number] }): View {
  const { task_id, map_index, try_number, operator, exception } = failure;
  const logUrl = webUrl(failure.log_url);
  const task = `${task_id ?? 'The run as a whole'}${map_index === null ? '' : ` [${map_index}]`}`;
  return html`<li>
    <p>
      <strong>${task}</strong> <span class="quiet">${CLASS_WORDS[failure.failure_class]}
      ${try_number !== null && ` · try ${try_number}`} ${operator !== null && ` · ${operator}`} · </span>
      ${h(When, { at: failure.failed_at })}
      ${logUrl !== null && html` · <a href=${logUrl} target="_blank" rel="noreferrer">Log</a>`}
    </p>
    ${
      exception !== null &&
      html`<pre tabindex="0" aria-label=${`What ${task} said`}><strong>${exception.type}</strong>${exception.type !== null && exception.message !== null && ': '}${exception.message}</pre>`
    }
  </li>`;
}
