import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { post, type Stack, startStack } from './stack.ts';

let stack: Stack;
let folder: string;
beforeAll(async () => {
  stack = await startStack([]);
  folder = await mkdtemp(join(tmpdir(), 'dagain-stream-'));
});
afterAll(async () => {
  await stack.close();
  await rm(folder, { recursive: true });
});

/** What comes until the stream ends, or until `isEnough` says so. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, isEnough: (text: string) => boolean) {
  let text = '';
  const decoder = new TextDecoder();
  while (!isEnough(text)) {
    const { done, value } = await reader.read();
    if (done) return { text, ended: true };
    text += decoder.decode(value, { stream: true });
  }
  return { text, ended: false };
}

test('a page that watches two replicas hears of both, and does not hold up their end', async () => {
  const one = await stack.startApp({ DAGAIN_DATA_DIR: folder, DAGAIN_RETRY_DELAY: '1h' });
  const other = await stack.startApp({ DAGAIN_DATA_DIR: folder, DAGAIN_RETRY_DELAY: '1h' });
  const stream = await fetch(`${one.url}/v1/events/stream`);
  const reader = stream.body?.getReader();
  if (reader === undefined) throw new Error('the stream has no body');
  expect((await readUntil(reader, (text) => text.includes('\n\n'))).text).toMatch(/^event: hello\n/);

  const report = { type: 'task-failed', body: { dag_id: 'etl', dag_run_id: 'here', task_id: 'load' } } as const;
  expect((await post(one.url, report)).status).toBe(202);
  const here = await readUntil(reader, (text) => text.includes('here'));
  expect(here.text).toContain('event: changed\ndata: {"runs":[{"dag_id":"etl","dag_run_id":"here"}');

  const paused = await fetch(`${other.url}/v1/dags/etl/pause`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ actor: 'ann' }),
  });
  expect(paused.status).toBe(200);
  expect(await readUntil(reader, (text) => text.includes('{"runs":null}'))).toMatchObject({ ended: false });

  const startedAtMs = performance.now();
  const rest = readUntil(reader, () => false);
  await one.app.stop();
  expect((await rest).ended).toBe(true);
  expect(performance.now() - startedAtMs).toBeLessThan(5_000);
});
