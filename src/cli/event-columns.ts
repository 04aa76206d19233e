import type { Column } from './print/table.ts';
import type { Colour } from './print/text.ts';
import { relative } from './print/time.ts';
import type { EventView } from './service/views.ts';

/** How things that happened stand in a list. */
export function eventColumns(nowMs: number): Column<EventView>[] {
  return [
    { title: 'when', text: ({ at }) => relative(at, nowMs) },
    { title: 'what', text: whatOf, colour: ({ type }) => COLOURS[type] ?? null },
    { title: 'dag', text: ({ dag_id }) => dag_id ?? 'all' },
    { title: 'run', text: ({ dag_run_id }) => dag_run_id ?? '' },
    { title: 'attempt', text: ({ attempt }) => (attempt === null ? '' : String(attempt)), isRight: true },
    { title: 'reason', text: ({ reason }) => reason },
    { title: 'task', text: ({ task_id }) => task_id ?? '' },
    { title: 'who', text: ({ actor }) => actor ?? '' },
    { title: 'comment', text: ({ comment }) => comment ?? '' },
  ];
}

function whatOf({ type, action, retries }: EventView): string {
  if (action === null) return type;
  return retries === null ? action : `${action} ${retries}`;
}

const COLOURS: Readonly<Record<string, Colour>> = {
  failed: 'yellow',
  retried: 'cyan',
  recovered: 'green',
  gave_up: 'red',
  operated: 'bold',
};
