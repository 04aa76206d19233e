import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { PolicyFile, readPolicyFile } from '../config/policy-file.ts';
import { formatDurationMs } from '../core/duration.ts';
import { POLICY_KEYS, writtenValue } from '../core/resolve-policy.ts';
import type { ExplainedPolicy } from '../engine/policy-source.ts';
import type { ExitCode, Terminal } from './command.ts';
import { jsonText } from './parameters.ts';

/** Checks a policy file and names everything that is wrong with it, each with its line. */
export function checkPolicy(path: string, terminal: Terminal): ExitCode {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    terminal.err(`dagain: cannot read ${path}: ${(error as Error).message}\n`);
    return 1;
  }
  const read = readPolicyFile(text);
  if (read.ok) {
    terminal.out(`${path}: valid, ${read.file.dags.length} entries under dags\n`);
    return 0;
  }
  for (const { line, path: at, message } of read.problems) {
    terminal.err(`${path}:${line}: ${at === '' ? '' : `${at} `}${message}\n`);
  }
  return 1;
}

/** The JSON Schema of the policy file, as editors read it. */
export function printPolicySchema(terminal: Terminal): ExitCode {
  terminal.out(`${JSON.stringify(policyFileSchema(), null, 2)}\n`);
  return 0;
}

export function policyFileSchema(): object {
  return { ...z.toJSONSchema(PolicyFile, { io: 'input', unrepresentable: 'any' }), title: 'dagain retry policy' };
}

/** One line for each value in force, with its origin. */
export function printResolvedPolicy(
  dagId: string,
  resolved: ExplainedPolicy,
  asJson: boolean,
  terminal: Terminal,
): ExitCode {
  const rows = POLICY_KEYS.map((key) => ({
    key,
    value: writtenValue(resolved.policy, key),
    source: resolved.origins[key],
  }));
  if (asJson) {
    const values = Object.fromEntries(rows.map(({ key, value, source }) => [key, { value, source }]));
    const { clamped, tagsKnown: tags_known, tagProblems: tag_problems } = resolved;
    const unconfigured_channels = resolved.unconfiguredChannels;
    const view = { dag_id: dagId, policy: values, clamped, unconfigured_channels, tags_known, tag_problems };
    terminal.out(jsonText(view));
    return 0;
  }
  terminal.out(`Policy in force for ${dagId}\n\n`);
  for (const { key, value, source } of rows) {
    const shown = typeof value === 'string' ? value : JSON.stringify(value);
    terminal.out(`  ${key.padEnd(22)} ${shown.padEnd(46)} ${source}\n`);
  }
  for (const remark of remarksOn(resolved)) terminal.out(`\n${remark}\n`);
  return 0;
}

/** What the table alone does not tell. */
function remarksOn({ policy, clamped, unconfiguredChannels, tagsKnown, tagProblems }: ExplainedPolicy): string[] {
  const lowered = clamped.map(({ key, from, to, source }) => {
    const [asked, given] = key === 'max_retries' ? [from, to] : [formatDurationMs(from), formatDurationMs(to)];
    return `${key}: ${asked} of ${source} is cut to ${given} by the limits.`;
  });
  const unknown = 'The Dag has no tags here: Airflow could not be asked, does not allow it, or knows no such Dag.';
  const unconfigured = unconfiguredChannels.map(
    (channel) => `${channel} is not configured: alerts go to ${policy.alertChannels.join(', ') || 'nobody'}.`,
  );
  const misread = tagProblems.map(({ tag, message }) => `The tag ${tag} counts for nothing: ${message}.`);
  return [...lowered, ...unconfigured, ...(tagsKnown ? [] : [unknown]), ...misread];
}
