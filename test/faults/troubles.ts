import type { Toxic } from './toxiproxy.ts';

/** What a network can do to a connection; without toxics nothing gets through at all. */
export interface Trouble {
  readonly name: string;
  readonly toxics: readonly Toxic[] | null;
}

/** Commands and requests wait in it. */
const DELAYS: readonly Trouble[] = [
  { name: 'latency', toxics: [{ type: 'latency', attributes: { latency: 200 } }] },
  { name: 'latency and jitter', toxics: [{ type: 'latency', attributes: { latency: 250, jitter: 250 } }] },
  { name: 'a narrow line (1 KB/s)', toxics: [{ type: 'bandwidth', attributes: { rate: 1 } }] },
  {
    name: 'slices of a few bytes',
    toxics: [{ type: 'slicer', attributes: { average_size: 7, size_variation: 6, delay: 500 } }],
  },
  { name: 'connections that close late', toxics: [{ type: 'slow_close', attributes: { delay: 3_000 } }] },
];

/** Commands and requests fail in it. */
const OUTAGES: readonly Trouble[] = [
  { name: 'latency beyond all time-outs', toxics: [{ type: 'latency', attributes: { latency: 12_000 } }] },
  { name: 'connections that end after 2,000 bytes', toxics: [{ type: 'limit_data', attributes: { bytes: 2_000 } }] },
  {
    name: 'answers that end after 100 bytes',
    toxics: [{ type: 'limit_data', stream: 'downstream', attributes: { bytes: 100 } }],
  },
  { name: 'resets', toxics: [{ type: 'reset_peer', attributes: { timeout: 100 } }] },
  {
    name: 'resets in the middle of an answer',
    toxics: [{ type: 'reset_peer', stream: 'downstream', attributes: { timeout: 0 } }],
  },
  { name: 'closed after a second without data', toxics: [{ type: 'timeout', attributes: { timeout: 1_000 } }] },
  { name: 'half open: nothing arrives', toxics: [{ type: 'timeout', stream: 'upstream', attributes: { timeout: 0 } }] },
  {
    name: 'half open: no answer comes back',
    toxics: [{ type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }],
  },
  { name: 'no connection at all', toxics: null },
];

export const TROUBLES = [
  ...DELAYS.map((trouble) => ({ ...trouble, isOutage: false })),
  ...OUTAGES.map((trouble) => ({ ...trouble, isOutage: true })),
];
