import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { DagainError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { PolicyLayer, PolicyLimits } from '../core/policy-layer.ts';

/** An entry of `dags`: a layer for the Dags whose id matches the glob. */
const DagEntry = PolicyLayer.extend({
  match: z.string().min(1).max(250).describe('Glob over Dag ids; the first entry that matches counts.'),
});

/** The policy file as people write it. */
export const PolicyFile = z.strictObject({
  defaults: PolicyLayer.default({}).describe('For all Dags.'),
  dags: z.array(DagEntry).max(10_000).default([]).describe('For single Dags: the first entry that matches counts.'),
  limits: PolicyLimits.default({}).describe('What nothing passes, neither Dag tags nor callbacks.'),
});
export type PolicyFile = z.infer<typeof PolicyFile>;

export const EMPTY_POLICY_FILE: PolicyFile = { defaults: {}, dags: [], limits: {} };

/** One thing wrong with a policy file, with its place (lines count from 1). */
export interface PolicyProblem {
  readonly line: number;
  readonly path: string;
  readonly message: string;
}

/** Reads a policy file's text; reports everything that is wrong with it, not only the first. */
export function readPolicyFile(
  text: string,
):
  | { readonly ok: true; readonly file: PolicyFile }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, maxAliasCount: 0 } as object);
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      line: lines.linePos(error.pos[0]).line,
      path: '',
      message: error.message.split('\n')[0] ?? 'is not valid YAML',
    }));
    return { ok: false, problems };
  }
  const parsed = PolicyFile.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (parsed.success) return { ok: true, file: parsed.data };
  const problems = parsed.error.issues
    .flatMap((issue) => describeIssue(issue))
    .map(({ path, message }) => ({
      line: lineOf(document, lines, path),
      path: formatPath(path),
      message,
    }));
  return { ok: false, problems };
}

/** @throws DagainError `configuration_invalid` that lists every problem with its line. */
export function parsePolicyFile(text: string, name: string): PolicyFile {
  const read = readPolicyFile(text);
  if (read.ok) return read.file;
  const lines = read.problems.map(
    ({ line, path, message }) => `${name}:${line}: ${path === '' ? '' : `${path} `}${message}`,
  );
  throw new DagainError('configuration_invalid', lines.join('\n'));
}

type Path = readonly PropertyKey[];

function describeIssue(issue: z.core.$ZodIssue): { path: Path; message: string }[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message }];
  const known = knownKeys(issue.path);
  return issue.keys.map((key) => ({
    path: [...issue.path, key],
    message: `is not a known key; the nearest is "${nearest(key, known)}"`,
  }));
}

function knownKeys(path: Path): readonly string[] {
  if (path.length === 0) return Object.keys(PolicyFile.shape);
  if (path[0] === 'limits') return Object.keys(PolicyLimits.shape);
  if (path.includes('max_retries_by_class')) return ['task_error', 'infra', 'timeout', 'deadlock'];
  return Object.keys(path[0] === 'dags' ? DagEntry.shape : PolicyLayer.shape);
}

/** The line of the deepest part of `path` that the document has. */
function lineOf(document: ReturnType<typeof parseDocument>, lines: LineCounter, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = document.getIn(path.slice(0, length - 1), true) as { items?: unknown[] } | undefined;
    const offset = keyOffset(parent, path[length - 1]) ?? nodeOffset(document.getIn(path.slice(0, length), true));
    if (offset !== null) return lines.linePos(offset).line;
  }
  return 1;
}

function keyOffset(parent: unknown, key: PropertyKey | undefined): number | null {
  if (typeof parent !== 'object' || parent === null || !('items' in parent) || !Array.isArray(parent.items))
    return null;
  for (const item of parent.items) {
    if (item?.key?.value === key && Array.isArray(item.key.range)) return item.key.range[0];
  }
  return null;
}

function nodeOffset(node: unknown): number | null {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return null;
  return typeof node.range[0] === 'number' ? node.range[0] : null;
}

function formatPath(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}
