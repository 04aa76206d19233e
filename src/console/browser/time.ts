import { useNow } from './context.ts';
import { html, type View } from './html.ts';

const UNITS = [
  { name: 'd', seconds: 86_400 },
  { name: 'h', seconds: 3_600 },
  { name: 'min', seconds: 60 },
  { name: 's', seconds: 1 },
] as const;

/** A length of time in its two largest units: `2 h 5 min`, `45 s`. */
export function durationText(durationMs: number): string {
  let left = Math.max(0, Math.round(durationMs / 1_000));
  const first = UNITS.findIndex(({ seconds }) => left >= seconds);
  if (first < 0) return '0 s';
  const parts: string[] = [];
  for (const { name, seconds } of UNITS.slice(first, first + 2)) {
    const count = Math.floor(left / seconds);
    left -= count * seconds;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(' ');
}

/** In one unit, for narrow places. */
export function roughText(durationMs: number): string {
  const seconds = Math.max(0, durationMs / 1_000);
  const unit = UNITS.find((one) => seconds >= one.seconds);
  return unit === undefined ? '0 s' : `${Math.floor(seconds / unit.seconds)} ${unit.name}`;
}

/** In the reader's zone and in UTC; the day once where it is the same. */
export function absoluteText(atMs: number): string {
  const at = new Date(atMs);
  const isSameDay = at.getDate() === at.getUTCDate();
  const utc = isSameDay ? utcText(atMs).slice(11) : utcText(atMs);
  return `${at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })} (${utc})`;
}

export function utcText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

export interface WhenProps {
  readonly at: string | null;
  /** `both`: the absolute time is written out beside it. */
  readonly style?: 'rough' | 'both';
}

/** How long ago, or in how long; the absolute time shows on hover, and is what machines read. */
export function When({ at, style = 'rough' }: WhenProps): View {
  const nowMs = useNow();
  if (at === null) return html`<span class="quiet">unknown</span>`;
  const atMs = Date.parse(at);
  const distance = style === 'rough' ? roughText(Math.abs(atMs - nowMs)) : durationText(Math.abs(atMs - nowMs));
  const relative = atMs > nowMs ? `in ${distance}` : `${distance} ago`;
  const written = style === 'both' ? html` <span class="quiet">${absoluteText(atMs)}</span>` : null;
  return html`<time datetime=${at} title=${absoluteText(atMs)}>${relative}</time>${written}`;
}

export interface CountdownProps {
  readonly at: string;
  /** In one unit only. */
  readonly isRough?: boolean;
}

/** Counts down to when something is due. */
export function Countdown({ at, isRough = false }: CountdownProps): View {
  const nowMs = useNow();
  const leftMs = Date.parse(at) - nowMs;
  const text = leftMs > 0 ? `in ${isRough ? roughText(leftMs) : durationText(leftMs)}` : 'due now';
  return html`<time class="countdown" datetime=${at} title=${absoluteText(Date.parse(at))}>${text}</time>`;
}
