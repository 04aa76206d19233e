import { type Document, isAlias, LineCounter, parseDocument, visit } from 'yaml';
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

type Read =
  | { readonly ok: true; readonly file: PolicyFile }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** Room for ten thousand Dags; larger files would hold the service up while they are read. */
const MAX_LENGTH = 2 * 1024 * 1024;
/** How many times anchors may be used in all, directly or through each other: a few lines could else mean gigabytes. */
const MAX_ALIASES = 10_000;
/** One slip in the syntax tends to bring hundreds along. */
const MAX_SYNTAX_PROBLEMS = 20;

/** Reads a policy file's text; reports everything that is wrong with it, not only the first. Never throws. */
export function readPolicyFile(text: string): Read {
  if (text.length > MAX_LENGTH) return refused(`must have at most ${MAX_LENGTH} characters, has ${text.length}`);
  const lines = new LineCounter();
  // A misread value is worse than a refused file, so that what the parser only warns of (unknown tags) is refused too.
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false, logLevel: 'error' });
  const errors = [...document.errors, ...document.warnings].slice(0, MAX_SYNTAX_PROBLEMS);
  if (errors.length > 0) {
    const problems = errors.map((error) => ({
      line: lines.linePos(error.pos[0]).line,
      path: '',
      message: inOurWords(error),
    }));
    return { ok: false, problems };
  }
  const value = toValue(document, lines);
  if (!('value' in value)) return { ok: false, problems: value };
  const parsed = PolicyFile.safeParse(withoutEmptySections(value.value ?? {}));
  if (parsed.success) return { ok: true, file: parsed.data };
  const problems = parsed.error.issues
    .flatMap((issue) => describeIssue(issue))
    .map(({ path, message }) => ({
      line: lineOf(document, lines, path),
      path: formatPath(path),
      message,
    }));
  return { ok: false, problems: problems.toSorted((a, b) => a.line - b.line) };
}

/** A section whose lines are all commented out is an empty one. */
function withoutEmptySections(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, section]) => section !== null));
}

function refused(message: string): Read {
  return { ok: false, problems: [{ line: 1, path: '', message }] };
}

/** Some of the parser's messages are meant for programmers. */
function inOurWords({ code, message }: { readonly code: string; readonly message: string }): string {
  if (code === 'MULTIPLE_DOCS') return 'must be one YAML document, without a second one after "---"';
  return message.startsWith('Maximum call stack size') ? 'is nested too deeply' : message;
}

/** The document's value, or why it has none. */
function toValue(document: Document, lines: LineCounter): { readonly value: unknown } | readonly PolicyProblem[] {
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) };
  } catch (error) {
    const problems = unknownAliases(document, lines);
    return problems.length > 0 ? problems : [{ line: 1, path: '', message: (error as Error).message }];
  }
}

/** To YAML a glob such as `*_daily` that is not quoted stands for what an anchor of this name holds. */
function unknownAliases(document: Document, lines: LineCounter): PolicyProblem[] {
  const anchors = new Set<string>();
  const problems: PolicyProblem[] = [];
  visit(document, {
    Node(_key, node) {
      if (!isAlias(node)) {
        if (typeof node.anchor === 'string') anchors.add(node.anchor);
      } else if (!anchors.has(node.source)) {
        const line = lines.linePos(node.range?.[0] ?? 0).line;
        const message = `*${node.source} is an alias of no anchor before it; as a glob it needs quotes: "*${node.source}"`;
        problems.push({ line, path: '', message });
      }
    },
  });
  return problems;
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
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [{ path: issue.path, message: 'is required' }];
  }
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
function lineOf(document: Document, lines: LineCounter, path: Path): number {
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
