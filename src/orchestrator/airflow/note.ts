import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { NoteOutcome } from '../port.ts';
import { describe, toUnavailable, unavailable, whatIsMissing } from './answers.ts';
import type { ApiCall, ApiResult } from './client.ts';
import { withLine } from './note-text.ts';
import type { ObserveDeps } from './observe.ts';
import { isAbout } from './runs.ts';
import type { TimeLimit } from './time-limit.ts';
import type { ApiVersion } from './versions.ts';

/** Without `note` the answer is of no use: what a person wrote would be lost. Airflow 2 before 2.5 has none. */
const Noted = z.object({ note: z.string().nullable() });

/** Reads the run's note right before it is written: Airflow overwrites it, whatever it says by then. */
export async function annotateRun(
  { client, versions }: ObserveDeps,
  key: RunKey,
  line: string | null,
  limit: TimeLimit,
): Promise<NoteOutcome> {
  const version = await versions.current();
  if (version.type === 'unavailable') return version;
  const segments = ['dags', key.dagId, 'dagRuns', key.dagRunId];
  const read = await client.call({ api: version.api, method: 'GET', segments }, limit);
  if (read.result.type === 'failure' || read.result.status !== 200) return withoutNote(read, key);
  const run = Noted.safeParse(read.result.json);
  if (!run.success || !isAbout(read.result.json, key)) {
    return unavailable('unexpected_answer', `${read.name} answered 200 with something else than this run and its note`);
  }
  const before = run.data.note ?? '';
  const after = withLine(before, line);
  if (after === null) return { type: 'no_room' };
  if (after === before) return { type: 'accepted' };
  const written = await client.call(writeCall(version.api, segments, after), limit);
  if (written.result.type === 'answer' && written.result.status === 200 && isAbout(written.result.json, key)) {
    return { type: 'accepted' };
  }
  return withoutNote(written, key);
}

function writeCall(api: ApiVersion, segments: readonly string[], note: string): ApiCall {
  if (api === 'v1') return { api, method: 'PATCH', segments: [...segments, 'setNote'], body: { note } };
  return { api, method: 'PATCH', segments, query: { update_mask: 'note' }, body: { note } };
}

function withoutNote({ name, result }: ApiResult, key: RunKey): NoteOutcome {
  if (result.type === 'failure') return toUnavailable(name, result);
  if (result.status === 404 && whatIsMissing(result, key) === 'run') return { type: 'missing' };
  if ([400, 405, 422].includes(result.status)) return { type: 'refused', detail: describe(name, result) };
  return toUnavailable(name, result);
}
