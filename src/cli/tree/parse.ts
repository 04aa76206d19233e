import { parseArgs } from 'node:util';
import { nearest } from '../../core/nearest.ts';
import type { Context, ExitCode } from '../command.ts';
import { type Command, isOptional, type Parameter, synopsisOf } from './spec.ts';

/** What a command line asks for; `words` is where in the tree it is. */
export type Asked =
  | { readonly type: 'help'; readonly words: string }
  | { readonly type: 'version' }
  | { readonly type: 'misuse'; readonly words: string; readonly problem: string }
  | { readonly type: 'run'; readonly run: (context: Context) => Promise<ExitCode> };

type Token = { readonly name: string; readonly rawName: string; readonly value: string | undefined };

/** Reads a command line; options may stand anywhere, and nothing after `--` is one. */
export function parseLine(commands: readonly Command[], argv: readonly string[]): Asked {
  const { positionals, tokens } = parseArgs({
    args: [...argv],
    options: everyOption(commands),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = tokens.filter((token) => token.kind === 'option');
  const isAsked = (name: string) => given.some((token) => token.name === name);
  if (positionals[0] === 'help') return helpFor(commands, positionals.slice(1));
  const found = commands.findLast(({ words }) => beginsWith(positionals, words));
  if (isAsked('help')) return found ? { type: 'help', words: found.words } : helpFor(commands, positionals);
  if (positionals[0] === 'version' || (isAsked('version') && found === undefined)) return { type: 'version' };
  if (found === undefined) return unknownCommand(commands, positionals);
  return bind(found, positionals.slice(found.words.split(' ').length), given);
}

function beginsWith(positionals: readonly string[], words: string): boolean {
  return words.split(' ').every((word, index) => positionals[index] === word);
}

function helpFor(commands: readonly Command[], positionals: readonly string[]): Asked {
  if (positionals.length === 0) return { type: 'help', words: '' };
  const one = commands.findLast(({ words }) => beginsWith(positionals, words));
  if (one !== undefined) return { type: 'help', words: one.words };
  const [group = ''] = positionals;
  const isGroup = positionals.length === 1 && commands.some(({ words }) => words.startsWith(`${group} `));
  return isGroup ? { type: 'help', words: group } : unknownCommand(commands, positionals);
}

function unknownCommand(commands: readonly Command[], [first, second]: readonly string[]): Asked {
  const groups = [...new Set(commands.map(({ words }) => words.split(' ')[0] ?? ''))];
  if (first === undefined) return { type: 'misuse', words: '', problem: 'a command is missing' };
  const inGroup = commands.filter(({ words }) => words.startsWith(`${first} `));
  if (inGroup.length === 0) {
    const problem = `there is no command "${first}"; the nearest is "${nearest(first, [...groups, 'help', 'version'])}"`;
    return { type: 'misuse', words: '', problem };
  }
  const rest = inGroup.map(({ words }) => words.slice(first.length + 1));
  if (second === undefined)
    return { type: 'misuse', words: first, problem: `${first} takes one of ${rest.join(', ')}` };
  const problem = `there is no command "${first} ${second}"; the nearest is "${first} ${nearest(second, rest)}"`;
  return { type: 'misuse', words: first, problem };
}

function bind(found: Command, positionals: readonly string[], tokens: readonly Token[]): Asked {
  const misuse = (problem: string): Asked => ({ type: 'misuse', words: found.words, problem });
  const problem = optionProblem(found, tokens) ?? argumentProblem(found, positionals);
  if (problem !== null) return misuse(problem);
  const args = Object.fromEntries(Object.keys(found.args).map((name, index) => [name, positionals[index]]));
  const options = Object.fromEntries(tokens.map(({ name, value }) => [name, value ?? '']));
  const bound = found.bind(args, options);
  return bound.type === 'misuse' ? misuse(bound.problem) : { type: 'run', run: bound.run };
}

function argumentProblem(found: Command, positionals: readonly string[]): string | null {
  const args = Object.entries(found.args);
  if (positionals.length > args.length) {
    if (args.length === 0) return `${found.words} takes no arguments`;
    return `too many arguments: dagain ${synopsisOf(found)}`;
  }
  const missing = args.find(([, one], index) => index >= positionals.length && !isOptional(one));
  return missing === undefined ? null : `<${missing[0]}> is missing: dagain ${synopsisOf(found)}`;
}

function optionProblem({ words, options }: Command, tokens: readonly Token[]): string | null {
  for (const { name, rawName, value } of tokens) {
    const one = Object.hasOwn(options, name) ? options[name] : undefined;
    if (one === undefined) {
      const hint = Object.keys(options).length === 0 ? '' : `; the nearest is --${nearest(name, Object.keys(options))}`;
      return `${words} has no option ${rawName}${hint}`;
    }
    if (one.placeholder !== null && value === undefined) return `${rawName} needs a value: ${one.placeholder}`;
    if (one.placeholder === null && value !== undefined) return `${rawName} takes no value`;
  }
  return null;
}

type ParseOptions = Record<string, { type: 'string' | 'boolean'; short?: string }>;

/** Of all commands together: which one is meant is known only when options and words are told apart. */
function everyOption(commands: readonly Command[]): ParseOptions {
  const all = Object.assign({}, ...commands.map(({ options }) => options)) as Record<string, Parameter>;
  const entries = Object.entries(all).map(([name, { placeholder, short }]) => [
    name,
    { type: placeholder === null ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) },
  ]);
  return { ...Object.fromEntries(entries), help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } };
}
