import { h } from 'preact';
import type { StatsView } from '../../../http/stats.ts';
import { html, type View } from '../html.ts';
import { Link } from '../link.ts';
import { pathTo } from '../router.ts';

/** The Dags with the most retries and give-ups. */
export function TopDags({ dags }: { readonly dags: StatsView['top_dags'] }): View {
  const most = Math.max(1, ...dags.map(({ retried }) => retried));
  return html`<div>
    <h3 id="top-dags">Most retried Dags</h3>
    ${
      dags.length === 0
        ? html`<p class="empty">None in this time.</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-labelledby="top-dags"><table class="ranking">
            <thead>
              <tr>
                <th scope="col">Dag</th><th scope="col" class="number">Retries</th>
                <th scope="col" class="number">Recovered</th><th scope="col" class="number">Given up</th>
              </tr>
            </thead>
            <tbody>
              ${dags.map(
                ({ dag_id, retried, recovered, gave_up }) => html`<tr key=${dag_id}>
                  <th scope="row" class="id">
                    ${h(Link, { to: pathTo('events', { dag_id }), children: dag_id })} ${h(Bar, { share: retried / most })}
                  </th>
                  <td class="number">${retried}</td><td class="number">${recovered}</td><td class="number">${gave_up}</td>
                </tr>`,
              )}
            </tbody>
          </table></div>`
    }
  </div>`;
}

/** The tasks that failed most often. */
export function TopTasks({ tasks }: { readonly tasks: StatsView['top_tasks'] }): View {
  const most = Math.max(1, ...tasks.map(({ failed }) => failed));
  return html`<div>
    <h3 id="top-tasks">Tasks that fail most</h3>
    ${
      tasks.length === 0
        ? html`<p class="empty">None in this time.</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-labelledby="top-tasks"><table class="ranking">
            <thead><tr><th scope="col">Task</th><th scope="col" class="number">Failed attempts</th></tr></thead>
            <tbody>
              ${tasks.map(
                ({ dag_id, task_id, failed }) => html`<tr key=${`${dag_id}/${task_id}`}>
                  <th scope="row" class="id">
                    ${h(Link, { to: pathTo('events', { dag_id }), children: html`<strong>${dag_id}</strong> ${task_id}` })}
                    ${h(Bar, { share: failed / most })}
                  </th>
                  <td class="number">${failed}</td>
                </tr>`,
              )}
            </tbody>
          </table></div>`
    }
  </div>`;
}

/** Beside a number that says the same. */
function Bar({ share }: { readonly share: number }): View {
  return html`<svg class="share" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
    <rect width=${Math.max(1, share * 100)} height="2" />
  </svg>`;
}
