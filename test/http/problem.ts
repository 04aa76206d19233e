import { expect } from 'vitest';
import { z } from 'zod';
import type { Got } from './serve.ts';

const Problem = z.strictObject({
  type: z.string().startsWith('urn:dagain:problem:'),
  title: z.string().min(1),
  status: z.int(),
  code: z.string(),
  detail: z.string().min(1),
  errors: z.array(z.strictObject({ field: z.string(), message: z.string().min(1) })).optional(),
  request_id: z.uuid().optional(),
});

/** The problem in an answer; fails the test where it is not one, or where it tells what is nobody's business. */
export function problemIn(got: Got): z.infer<typeof Problem> {
  expect(got.headers['content-type']).toBe('application/problem+json');
  const problem = Problem.parse(JSON.parse(got.text));
  expect(problem.status).toBe(got.status);
  expect(problem.type).toBe(`urn:dagain:problem:${problem.code}`);
  expect(got.text).not.toMatch(/node_modules|\.ts:|\bat \w+ \(|Error:/);
  return problem;
}
