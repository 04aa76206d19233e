import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DECISIONS } from '../../src/core/reason.ts';
import { DAGS, RUN_ID, tellStory } from './log-story.ts';
import { type Stack, startStack } from './stack.ts';

const AboutRun = z.looseObject({
  run: z.string(),
  dag_id: z.string(),
  attempt: z.int().positive().nullable(),
  decision: z.enum([...DECISIONS, 'undecided']),
  reason: z.string().regex(/^[a-z_]+$/),
});

let stack: Stack;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-log-story-'));
  stack = await startStack(DAGS);
});
afterEach(async () => {
  await stack.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the log of a whole story', () => {
  test('is one line of JSON each, and every line about a run says which, which attempt, what and why', async () => {
    const { raw, lines } = await tellStory(stack, folder);
    for (const line of raw) expect(line).toMatch(/^\{.*\}\n$/);
    const about = lines.filter((line) => JSON.stringify(line).includes(RUN_ID));
    expect(about.length).toBeGreaterThan(15);
    const incomplete = about.filter((line) => !AboutRun.safeParse(line).success);
    expect(incomplete).toEqual([]);
    for (const line of about.map((one) => AboutRun.parse(one))) expect(line.run).toBe(`${line.dag_id}/${RUN_ID}`);
    const names = lines.flatMap((line) => Object.keys(line));
    expect([...new Set(names)].filter((name) => !/^[a-z]+(_[a-z]+)*$/.test(name))).toEqual([]);

    const story = (dagId: string) =>
      about.filter((line) => line['dag_id'] === dagId).map(({ level, msg }) => `${level} ${msg}`);
    expect(story('twice')).toEqual(
      expect.arrayContaining([
        'info failure_reported: retry_scheduled',
        'info settled',
        'info clear_due',
        'info clear sent',
        'info run_succeeded',
      ]),
    );
    expect(story('for_ever')).toEqual(
      expect.arrayContaining(['info operator: pause', 'info operator: resume', 'error gave up', 'info alert accepted']),
    );
    const said = about.map(({ level, msg }) => `${level} ${msg}`);
    expect(said).toContain('warn the orchestrator gave no usable answer');
    expect(said).toContain('warn clear sent');
    // What heals by itself wakes nobody: the only error is the give-up.
    expect(new Set(lines.filter(({ level }) => level === 'error').map(({ msg }) => msg))).toEqual(new Set(['gave up']));
    const attempts = about.filter((line) => line['dag_id'] === 'twice').map((line) => line['attempt']);
    expect(attempts).toEqual(attempts.toSorted());
    expect(attempts.at(-1)).toBe(3);
  });
});
