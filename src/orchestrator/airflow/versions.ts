import { z } from 'zod';
import { toUnavailable, type Unavailable, unavailable } from './answers.ts';
import type { ApiResult } from './client.ts';
import type { HttpResult } from './http.ts';
import type { AdapterLog } from './log.ts';

export type ApiVersion = 'v1' | 'v2';

/** What is known of the Airflow on the other side. */
export interface AirflowVersion {
  readonly type: 'known';
  readonly api: ApiVersion;
  /** As Airflow writes it: `3.3.2`, `2.10.5+composer`. */
  readonly version: string;
  /** What the body of a run's clear may hold besides `dry_run`: Airflow 3 answers 422 to a field that it does not know. */
  readonly clearTakes: { readonly onlyFailed: boolean; readonly runOnLatestVersion: boolean };
}

export interface Versions {
  /** The version, asked for at first, after a while, and after a doubt; by one request at a time. */
  current(): Promise<AirflowVersion | Unavailable>;
  /** The version as last seen. */
  known(): AirflowVersion | null;
  /** An answer did not fit the version: it is asked for again before the next call. */
  doubt(): void;
}

export interface VersionsDeps {
  /** Reads `/api/{api}/version`. */
  readonly ask: (api: ApiVersion) => Promise<ApiResult>;
  readonly clock: { nowMs(): number };
  readonly log: AdapterLog;
}

/** How long a version is believed, in milliseconds. */
export const BELIEVED_MS = 10 * 60_000;
/** How long after a failed look the last known version still serves, in milliseconds. */
const LOOK_AGAIN_MS = 30_000;

export function createVersions({ ask, clock, log }: VersionsDeps): Versions {
  let known: AirflowVersion | null = null;
  let believedUntilMs = 0;
  let pending: Promise<AirflowVersion | Unavailable> | null = null;

  async function look(): Promise<AirflowVersion | Unavailable> {
    const found = await detect(ask);
    if (found.type === 'known') {
      if (found.version !== known?.version) log.info({ version: found.version, api: found.api }, 'found Airflow');
      known = found;
      believedUntilMs = clock.nowMs() + BELIEVED_MS;
      return found;
    }
    if (known === null) return found;
    // That only the look fails is possible, and then the call still works; otherwise it fails for the same reason.
    believedUntilMs = clock.nowMs() + LOOK_AGAIN_MS;
    return known;
  }

  return {
    async current() {
      if (known !== null && clock.nowMs() < believedUntilMs) return known;
      pending ??= look().finally(() => {
        pending = null;
      });
      return pending;
    },
    known: () => known,
    doubt() {
      believedUntilMs = 0;
    },
  };
}

async function detect(ask: VersionsDeps['ask']): Promise<AirflowVersion | Unavailable> {
  const newer = await ask('v2');
  const three = readVersion('v2', newer.result);
  if (three !== null) return three;
  const outage = toUnavailable(newer.name, newer.result);
  // Only an answer can mean "this is Airflow 2": a 404, or whatever a proxy says to paths that it does not know.
  if (newer.result.type === 'failure' || ['rate_limited', 'server_error'].includes(outage.reason)) return outage;
  const older = await ask('v1');
  const two = readVersion('v1', older.result);
  if (two !== null) return two;
  if (outage.reason !== 'unexpected_answer') return outage;
  const olderOutage = toUnavailable(older.name, older.result);
  if (olderOutage.reason !== 'unexpected_answer') return olderOutage;
  return unavailable('unexpected_answer', `no Airflow at this address: ${outage.detail}; ${olderOutage.detail}`);
}

const VersionAnswer = z.object({ version: z.string().max(100) });

function readVersion(api: ApiVersion, result: HttpResult): AirflowVersion | null {
  if (result.type === 'failure' || result.status !== 200) return null;
  const answer = VersionAnswer.safeParse(result.json);
  const numbers = /^(\d+)\.(\d+)/.exec(answer.data?.version ?? '');
  if (!answer.success || numbers === null) return null;
  return describeVersion(api, answer.data.version, Number(numbers[1]), Number(numbers[2]));
}

/** A version newer than any known one is taken for the newest known: its API grows, and `v2` stays `v2`. */
function describeVersion(api: ApiVersion, version: string, major: number, minor: number): AirflowVersion {
  const atLeast = (wantedMinor: number) => api === 'v2' && (major > 3 || (major === 3 && minor >= wantedMinor));
  return { type: 'known', api, version, clearTakes: { onlyFailed: atLeast(0), runOnLatestVersion: atLeast(1) } };
}
