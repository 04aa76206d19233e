import { z } from 'zod';
import type { Context, ExitCode } from '../command.ts';

/** What shells offer for a value. */
export type Completion = { readonly words: readonly string[] } | 'file' | null;

/** An argument or an option; `schema` reads what was written, undefined where nothing was. */
export interface Parameter<T = unknown> {
  readonly schema: z.ZodType<T>;
  readonly summary: string;
  /** How its value is called, such as `<n>`; null: a switch, which takes none. */
  readonly placeholder: string | null;
  readonly completion: Completion;
  readonly short?: string;
}
export type Parameters = Readonly<Record<string, Parameter>>;
export type Values<P extends Parameters> = { readonly [K in keyof P]: z.infer<P[K]['schema']> };

type More = { readonly completion?: Completion; readonly short?: string };

/** A value: of an argument, or of an option. */
export function value<T>(schema: z.ZodType<T>, placeholder: string, summary: string, more: More = {}): Parameter<T> {
  return { schema, summary, placeholder, completion: null, ...more };
}

/** One of a few words; a value that is not among them is refused with all of them. */
export function choice<const W extends readonly string[]>(
  words: W,
  placeholder: string,
  summary: string,
  short?: string,
): Parameter<W[number] | undefined> {
  const schema = z.enum(words, `must be ${listed(words)}`).optional();
  return value(schema, placeholder, summary, { completion: { words }, ...(short === undefined ? {} : { short }) });
}

/** An option without a value. */
export function flag(summary: string, short?: string): Parameter<boolean> {
  const schema = z.literal('').optional();
  const isGiven = schema.transform((text) => text !== undefined);
  return { schema: isGiven, summary, placeholder: null, completion: null, ...(short === undefined ? {} : { short }) };
}

/** A command as the tree knows it: enough to parse it, to explain it and to complete it. */
export interface Command {
  /** As it is typed: `runs list`. */
  readonly words: string;
  readonly summary: string;
  /** What its own help says besides. */
  readonly details: readonly string[];
  readonly args: Parameters;
  readonly options: Parameters;
  /** Reads what was written; `problems` where it cannot be read. */
  bind(args: Written, options: Written): Bound;
}
export type Written = Readonly<Record<string, string | undefined>>;
export type Bound =
  | { readonly type: 'misuse'; readonly problem: string }
  | { readonly type: 'ready'; readonly run: (context: Context) => Promise<ExitCode> };

interface Spec<A extends Parameters, O extends Parameters> {
  readonly words: string;
  readonly summary: string;
  readonly details?: readonly string[];
  readonly args: A;
  readonly options: O;
  run(given: { readonly args: Values<A>; readonly options: Values<O> }, context: Context): Promise<ExitCode>;
}

/** Makes a command of its description. */
export function command<A extends Parameters, O extends Parameters>(spec: Spec<A, O>): Command {
  const { words, summary, details = [], args, options } = spec;
  return {
    ...{ words, summary, details, args, options },
    bind(writtenArgs, writtenOptions) {
      const problems: string[] = [];
      const given = {
        args: valuesOf(args, writtenArgs, (name) => `<${name}>`, problems),
        options: valuesOf(options, writtenOptions, (name) => `--${name}`, problems),
      };
      const [problem] = problems;
      if (problem !== undefined) return { type: 'misuse', problem };
      return { type: 'ready', run: (context) => spec.run(given, context) };
    },
  };
}

function valuesOf<P extends Parameters>(
  parameters: P,
  written: Written,
  shown: (name: string) => string,
  problems: string[],
): Values<P> {
  const entries = Object.entries(parameters).map(([name, { schema }]) => {
    const read = schema.safeParse(written[name]);
    if (read.success) return [name, read.data];
    const messages = [...new Set(read.error.issues.map(({ message }) => message))].join('; ');
    problems.push(`${shown(name)} ${written[name] === undefined ? 'is missing' : messages}`);
    return [name, undefined];
  });
  return Object.fromEntries(entries) as Values<P>;
}

/** `a, b or c`. */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** Whether it may be left out. */
export function isOptional({ schema }: Parameter): boolean {
  return schema.safeParse(undefined).success;
}

/** How an option or argument is shown: `-o, --output <format>`. */
export function optionText(name: string, { short, placeholder }: Parameter): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${placeholder === null ? '' : ` ${placeholder}`}`;
}

/** As one types the command: `runs show <dag_id> <dag_run_id>`. */
export function synopsisOf({ words, args }: Command): string {
  const shown = Object.entries(args).map(([name, one]) => (isOptional(one) ? `[${name}]` : `<${name}>`));
  return [words, ...shown].join(' ');
}
