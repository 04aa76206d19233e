import { h } from 'preact';
import type { Phase } from '../../core/record.ts';
import { html, type View } from './html.ts';
import { type Tone, wordsOfRun } from './words.ts';

export interface BadgeProps {
  readonly tone: Tone;
  readonly label: string;
  readonly title?: string;
}

/** A state in a word; each tone has a mark of its own shape besides its colour. */
export function Badge({ tone, label, title }: BadgeProps): View {
  return html`<span class="badge ${tone}" title=${title}>
    <svg viewBox="0 0 10 10" aria-hidden="true"><path d=${SHAPES[tone]} /></svg>${label}
  </span>`;
}

const SHAPES: Readonly<Record<Tone, string>> = {
  busy: 'M2 1 L9 5 L2 9 Z',
  wait: 'M2 1 H4 V9 H2 Z M6 1 H8 V9 H6 Z',
  good: 'M1 5 L2.4 3.6 L4.2 5.4 L7.8 1.6 L9.2 3 L4.2 8.2 Z',
  bad: 'M1.2 2.6 L2.6 1.2 L5 3.6 L7.4 1.2 L8.8 2.6 L6.4 5 L8.8 7.4 L7.4 8.8 L5 6.4 L2.6 8.8 L1.2 7.4 L3.6 5 Z',
  quiet: 'M1 4 H9 V6 H1 Z',
};

export interface RunState {
  readonly phase: Phase;
  readonly reason: string | null;
  readonly held: object | null;
  readonly paused: object | null;
}

/** The phase of a run, and whether somebody has paused it or its Dag. */
export function PhaseBadge({ run }: { readonly run: RunState }): View {
  const { label, tone, meaning } = wordsOfRun(run);
  const isOver = run.phase === 'giving_up' || run.phase === 'gave_up';
  const isDagPaused = run.paused !== null && !isOver;
  return html`${h(Badge, { tone, label, title: meaning })}
  ${run.held !== null && h(Badge, { tone: 'wait', label: 'Paused', title: 'paused by an operator' })}
  ${run.held === null && isDagPaused && h(Badge, { tone: 'wait', label: 'Dag paused', title: 'retries of its Dag are paused' })}`;
}
