import { h } from 'preact';
import type { Phase } from '../../../core/record.ts';
import { ChoiceField, TextField } from '../fields.ts';
import { html, type View } from '../html.ts';
import { CLASS_WORDS, PHASE_ORDER, PHASE_WORDS } from '../words.ts';
import { SORTS, type Sort } from './filter.ts';

export interface FiltersProps {
  readonly query: URLSearchParams;
  readonly onChange: (changes: Record<string, string>) => void;
}

const NARROW = '(max-width: 720px)';

const SORT_WORDS: Readonly<Record<Sort, string>> = {
  failed: 'Newest first',
  due: 'Due next first',
  dag: 'Dag and run',
  retries: 'Most retries first',
};

const AGES: readonly (readonly [string, string])[] = [
  ['', 'Any age'],
  ['newer_than=1h', 'In the last hour'],
  ['newer_than=24h', 'In the last 24 hours'],
  ['older_than=1h', 'More than 1 hour ago'],
  ['older_than=6h', 'More than 6 hours ago'],
  ['older_than=24h', 'More than 24 hours ago'],
  ['older_than=7d', 'More than 7 days ago'],
];

export function Filters({ query, onChange }: FiltersProps): View {
  const of = (name: string) => query.get(name) ?? '';
  const phases = of('phase').split(',').filter(Boolean);
  const toggle = (phase: Phase) => {
    const next = phases.includes(phase) ? phases.filter((one) => one !== phase) : [...phases, phase];
    onChange({ phase: PHASE_ORDER.filter((one) => next.includes(one)).join(',') });
  };
  const { length: given } = Object.keys(CLEARED).filter((name) => of(name) !== '');
  // Closed at first on a phone, where it would fill the screen; elsewhere the style sheet hides the summary.
  return html`<details class="filter-box" open=${!matchMedia(NARROW).matches}>
    <summary>Filter${given > 0 && ` (${given} set)`}</summary>
    <div class="filters" role="search" aria-label="Filter runs">
    <fieldset class="phases">
      <legend>Phase</legend>
      ${PHASE_ORDER.map(
        (phase) => html`<label key=${phase} class="chip">
          <input type="checkbox" checked=${phases.includes(phase)} onChange=${() => toggle(phase)} />
          ${PHASE_WORDS[phase].label}
        </label>`,
      )}
    </fieldset>
    ${h(TextField, { label: 'Dag', hint: 'id, or etl_*', value: of('dag_id'), onValue: (dag_id) => onChange({ dag_id }) })}
    ${h(TextField, { label: 'Text', hint: 'run, task, exception', value: of('text'), onValue: (text) => onChange({ text }) })}
    ${h(ChoiceField, {
      label: 'Class',
      value: of('failure_class'),
      options: [['', 'Any class'], ...Object.entries(CLASS_WORDS)],
      onValue: (failure_class) => onChange({ failure_class }),
    })}
    ${h(ChoiceField, {
      label: 'Paused',
      value: of('held'),
      options: [
        ['', 'Either'],
        ['true', 'Paused'],
        ['false', 'Not paused'],
      ],
      onValue: (held) => onChange({ held }),
    })}
    ${h(ChoiceField, { label: 'First failed', value: ageOf(query), options: agesWith(ageOf(query)), onValue: (age) => onChange(agePart(age)) })}
    ${h(ChoiceField, {
      label: 'Order',
      value: of('sort') || 'failed',
      options: SORTS.map((sort) => [sort, SORT_WORDS[sort]] as const),
      onValue: (sort) => onChange({ sort }),
    })}
    <button class="plain" type="button" onClick=${() => onChange(CLEARED)}>Clear filters</button>
  </div></details>`;
}

const CLEARED = {
  phase: '',
  dag_id: '',
  text: '',
  failure_class: '',
  held: '',
  reason: '',
  older_than: '',
  newer_than: '',
  sort: '',
};

function ageOf(query: URLSearchParams): string {
  for (const name of ['older_than', 'newer_than']) {
    const age = query.get(name);
    if (age !== null && age !== '') return `${name}=${age}`;
  }
  return '';
}

/** An address may carry an age that is not among the usual ones. */
function agesWith(age: string): typeof AGES {
  return AGES.some(([value]) => value === age) ? AGES : [...AGES, [age, age.replace('=', ' ').replaceAll('_', ' ')]];
}

function agePart(age: string): Record<string, string> {
  const [name, value] = age.split('=');
  const part = { older_than: '', newer_than: '' };
  return name === undefined || value === undefined ? part : { ...part, [name]: value };
}
