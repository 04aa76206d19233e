import { h } from 'preact';
import type { StatsView } from '../../../http/stats.ts';
import { html, type View } from '../html.ts';
import { durationText, utcText } from '../time.ts';

type Series = 'failed' | 'retried' | 'recovered' | 'gave_up';

const SERIES: readonly { readonly key: Series; readonly label: string }[] = [
  { key: 'failed', label: 'Failures' },
  { key: 'retried', label: 'Retries' },
  { key: 'recovered', label: 'Recovered' },
  { key: 'gave_up', label: 'Given up' },
];

/** What happened over the window: one small chart each, all on one scale, and the same as a table. */
export function Charts({ stats }: { readonly stats: StatsView }): View {
  const { buckets, totals, is_complete } = stats;
  const most = Math.max(1, ...buckets.flatMap((bucket) => SERIES.map(({ key }) => bucket[key])));
  return html`<div class="charts">
      ${SERIES.map(({ key, label }) => h(Chart, { key, series: key, label, total: totals[key], most, stats }))}
    </div>
    ${!is_complete && html`<p class="quiet">The journal does not hold all of this time any more: the figures may be too low.</p>`}
    <details class="as-table">
      <summary>The figures as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="The figures as a table">
        <table>
          <thead>
            <tr><th scope="col">From</th>${SERIES.map(({ key, label }) => html`<th key=${key} scope="col" class="number">${label}</th>`)}</tr>
          </thead>
          <tbody>
            ${buckets.map(
              (bucket) => html`<tr key=${bucket.from}>
                <th scope="row">${bucket.from === null ? '' : utcText(Date.parse(bucket.from))}</th>
                ${SERIES.map(({ key }) => html`<td key=${key} class="number">${bucket[key]}</td>`)}
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>`;
}

interface ChartProps {
  readonly series: Series;
  readonly label: string;
  readonly total: number;
  /** The scale's end. */
  readonly most: number;
  readonly stats: StatsView;
}

const [WIDTH, HEIGHT, GAP] = [240, 56, 1];

function Chart({ series, label, total, most, stats: { buckets, window_seconds } }: ChartProps): View {
  const step = WIDTH / Math.max(1, buckets.length);
  const each = durationText((window_seconds / Math.max(1, buckets.length)) * 1_000);
  const highest = Math.max(0, ...buckets.map((bucket) => bucket[series]));
  const told = `${label}: ${total} in ${durationText(window_seconds * 1_000)}, at most ${highest} in ${each}`;
  return html`<figure class=${`chart ${series}`}>
    <figcaption>${label} <strong>${total.toLocaleString()}</strong></figcaption>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT + 1}`} preserveAspectRatio="none" role="img" aria-label=${told}>
      <line x1="0" x2=${WIDTH} y1=${HEIGHT + 0.5} y2=${HEIGHT + 0.5} />
      ${buckets.map((bucket, index) => {
        const many = bucket[series];
        const height = many === 0 ? 0 : Math.max(2, (many / most) * HEIGHT);
        const title = `${many} from ${bucket.from === null ? '' : utcText(Date.parse(bucket.from))}`;
        return html`<rect key=${index} x=${index * step} y=${HEIGHT - height} width=${step - GAP} height=${height}>
          <title>${title}</title>
        </rect>`;
      })}
    </svg>
    <div class="axis quiet" aria-hidden="true"><span>${durationText(window_seconds * 1_000)} ago</span><span>now</span></div>
  </figure>`;
}
