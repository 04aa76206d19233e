import { h } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { EventView } from '../../http/event-view.ts';
import type { EventPage } from '../../http/events.ts';
import type { Api } from './api.ts';
import { Badge } from './badge.ts';
import { usePage } from './context.ts';
import { ChoiceField, TextField, withFields } from './fields.ts';
import { html, type View } from './html.ts';
import { Link } from './link.ts';
import { Problem, useLoaded, Waiting } from './loading.ts';
import { pathTo, pathToRun } from './router.ts';
import { When } from './time.ts';
import { CLASS_WORDS, EVENT_WORDS, reasonText } from './words.ts';

const PAGE = 100;
/** Who looks further back asks the API or the command line. */
const MAX_PAGES = 20;

/** What happened, and what people did. */
export function EventsView({ query }: { readonly query: URLSearchParams }): View {
  const { api, router } = usePage();
  const [pages, setPages] = useState(1);
  const filter = Object.fromEntries(query);
  const { data, error, reload } = useLoaded(`events ${query}`, (signal) => readEvents(api, filter, pages, signal));
  useEffect(() => {
    if (pages > 1) reload();
  }, [pages, reload]);
  const change = (changes: Record<string, string>) => {
    setPages(1);
    router.go(pathTo('events', withFields(router.current().query, changes)), { replace: true });
  };
  const types: [string, string][] = Object.entries(EVENT_WORDS).map(([type, { label }]) => [type, label]);
  return html`<h1>Events</h1>
    <p class="quiet">What happened to runs, and, as “Operator”, everything that people did: newest first, kept for 90 days.</p>
    <div class="filters" role="search">
      ${h(ChoiceField, {
        label: 'What',
        value: query.get('type') ?? '',
        options: [['', 'Everything'], ...types],
        onValue: (type) => change({ type }),
      })}
      ${h(TextField, {
        label: 'Dag',
        hint: 'id, or etl_*',
        value: query.get('dag_id') ?? '',
        onValue: (dag_id) => change({ dag_id }),
      })}
      ${h(TextField, { label: 'Who', value: query.get('actor') ?? '', onValue: (actor) => change({ actor }) })}
    </div>
    ${h(Problem, { error })} ${data === null && error === null && h(Waiting, { what: 'the events' })}
    ${data !== null && data.events.length === 0 && html`<p class="empty">Nothing has happened.</p>`}
    ${data !== null && data.events.length > 0 && h(EventTable, { events: data.events, showsRun: true })}
    ${
      data?.next_cursor != null &&
      pages < MAX_PAGES &&
      html`<p class="more"><button onClick=${() => setPages(pages + 1)}>Show older ones</button></p>`
    }`;
}

async function readEvents(
  api: Api,
  filter: Readonly<Record<string, string>>,
  pages: number,
  signal: AbortSignal,
): Promise<EventPage> {
  const events: EventView[] = [];
  let cursor: string | null = null;
  for (let read = 0; read < pages; read++) {
    const page: EventPage = await api.get<EventPage>('v1/events', { ...filter, limit: PAGE, cursor }, signal);
    events.push(...page.events);
    cursor = page.next_cursor;
    if (cursor === null) break;
  }
  return { events, next_cursor: cursor };
}

export interface EventTableProps {
  readonly events: readonly EventView[];
  readonly showsRun: boolean;
}

export function EventTable({ events, showsRun }: EventTableProps): View {
  return html`<table class="cards" role="table">
    <thead role="rowgroup">
      <tr role="row">
        <th role="columnheader" scope="col">When</th>
        <th role="columnheader" scope="col">What</th>
        ${showsRun && html`<th role="columnheader" scope="col">Run</th>`}
        <th role="columnheader" scope="col">Why</th>
        <th role="columnheader" scope="col">Who</th>
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${events.map((event) => h(EventRow, { key: event.id, event, showsRun }))}
    </tbody>
  </table>`;
}

function EventRow({ event, showsRun }: { readonly event: EventView; readonly showsRun: boolean }): View {
  const { label, tone } = EVENT_WORDS[event.type];
  const amount = event.retries === null ? '' : ` ${event.retries}`;
  const what = event.action === null ? label : `${label}: ${reasonText(event.action)}${amount}`;
  return html`<tr role="row">
    <td role="cell" data-label="When">${h(When, { at: event.at })}</td>
    <td role="cell" data-label="What">${h(Badge, { tone, label: what })}</td>
    ${showsRun && html`<td role="cell" data-label="Run" class="id">${h(EventTarget, { event })}</td>`}
    <td role="cell" data-label="Why">
      ${event.comment ? html`“${event.comment}”` : reasonText(event.reason)}
      ${event.task_id !== null && html` <span class="quiet">task ${event.task_id}</span>`}
      ${event.failure_class !== null && html` <span class="quiet">${CLASS_WORDS[event.failure_class]}</span>`}
    </td>
    <td role="cell" data-label="Who">${event.actor ?? html`<span class="quiet">dagain</span>`}</td>
  </tr>`;
}

function EventTarget({ event }: { readonly event: EventView }): View {
  const { dag_id, dag_run_id } = event;
  if (dag_id === null) return 'Every Dag';
  if (dag_run_id === null) return h(Link, { to: pathTo('runs', { dag_id }), children: dag_id });
  return h(Link, { to: pathToRun({ dag_id, dag_run_id }), children: html`<strong>${dag_id}</strong> ${dag_run_id}` });
}
