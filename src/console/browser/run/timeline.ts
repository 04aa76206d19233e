import { h } from 'preact';
import type { EventView } from '../../../http/event-view.ts';
import type { ExplainView } from '../../../http/explain-view.ts';
import { html, type View } from '../html.ts';
import { absoluteText, When } from '../time.ts';
import { EVENT_WORDS, reasonText, type Tone } from '../words.ts';

/** How the record's own history calls what happened. */
const TYPES: Readonly<Record<string, { readonly label: string; readonly tone: Tone }>> = {
  failure_reported: { label: 'Failure reported', tone: 'bad' },
  failed: { label: 'Failed', tone: 'bad' },
  clearing: { label: 'Clear sent', tone: 'busy' },
  attempt_started: { label: 'Attempt started', tone: 'busy' },
  gave_up: { label: 'Gave up', tone: 'bad' },
  alert: { label: 'Alert', tone: 'quiet' },
  operator: { label: 'Operator', tone: 'wait' },
  count_rebuilt: { label: 'Count rebuilt', tone: 'wait' },
  state_lost: { label: 'State lost', tone: 'bad' },
  ended: { label: 'Ended', tone: 'quiet' },
};

interface Line {
  readonly id: string;
  readonly at: string | null;
  readonly label: string;
  readonly tone: Tone;
  readonly attempt: number | null;
  readonly reason: string;
  readonly detail: string | null;
}

/** Everything that has happened to the run, newest first: its record's history, or what the journal kept of it. */
export function Timeline({ explained: { run, events } }: { readonly explained: ExplainView }): View {
  const ofRecord = run?.history.map(lineOfHistory) ?? [];
  const since = ofRecord[0]?.at ?? null;
  // The journal tells the same from the record's beginning on, in fewer words.
  const older = events.filter(({ at }) => since === null || (at ?? '') < since).map(lineOfEvent);
  const lines = [...ofRecord.toReversed(), ...older];
  return html`<section class="panel" aria-labelledby="timeline">
    <h2 id="timeline">Timeline</h2>
    ${lines.length === 0 && html`<p class="empty">Nothing is kept of this run.</p>`}
    <ol class="timeline" reversed>
      ${lines.map((line) => h(TimelineLine, { key: line.id, line }))}
    </ol>
  </section>`;
}

function lineOfHistory(
  { at, type, attempt, reason, detail }: NonNullable<ExplainView['run']>['history'][number],
  index: number,
): Line {
  const known = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  const { label, tone } = known ?? { label: reasonText(type), tone: 'quiet' };
  return { id: `history ${index}`, at, label, tone, attempt, reason, detail };
}

function lineOfEvent({ id, at, type, attempt, reason, action, actor, comment, task_id }: EventView): Line {
  const { label, tone } = EVENT_WORDS[type];
  const who = actor === null ? null : `by ${actor}${comment ? `: ${comment}` : ''}`;
  return {
    id,
    at,
    label,
    tone,
    attempt,
    reason: action ?? reason,
    detail: who ?? (task_id === null ? null : `task ${task_id}`),
  };
}

function TimelineLine({ line }: { readonly line: Line }): View {
  const { at, label, tone, attempt, reason, detail } = line;
  const saysMore = reasonText(reason) !== label.toLowerCase();
  return html`<li class=${tone}>
    <div>
      <strong>${label}</strong> ${saysMore && reasonText(reason)}
      ${attempt !== null && html`<span class="quiet"> · attempt ${attempt}</span>`}
      ${detail !== null && html`<p class="detail">${detail}</p>`}
    </div>
    <div class="at">
      ${h(When, { at })} ${at !== null && html`<span class="quiet">${absoluteText(Date.parse(at))}</span>`}
    </div>
  </li>`;
}
