import type { Variables } from '../config/setting.ts';

/** Where commands write; handed in, so that tests can look. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

/** What writes to a person may use. */
export interface Screen extends Terminal {
  /** Null: not a terminal, so that nothing is cut and nothing redrawn. */
  readonly size: { readonly columns: number; readonly rows: number } | null;
  readonly isColoured: boolean;
  /** Asks a person; null where nobody is there to answer. */
  readonly ask: ((question: string) => Promise<string>) | null;
}

/** What every command is given besides its own parameters. */
export interface Context {
  readonly screen: Screen;
  readonly variables: Variables;
  readonly nowMs: () => number;
  /** The name under which whoever runs the command has logged in; null where there is none. */
  readonly loginName: () => string | null;
}

/** What each way of ending means, the same for every command. */
export const EXIT_CODES = {
  0: 'done',
  1: 'it did not work: a check failed, an alert was not accepted, a watched run was given up, Airflow is out of reach',
  2: 'wrong usage or settings',
  3: 'not possible now, or nothing matched; nothing was changed',
  4: 'the service was not reached, refused the token, or failed',
} as const;
export type ExitCode = keyof typeof EXIT_CODES;

/** Ends a command, from wherever it is thrown: `message` says what is wrong, `remedy` what to do about it. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  readonly remedy: string | null;
  /** The service's own stable word for it, where it gave one. */
  readonly code: string | null;

  constructor(exitCode: ExitCode, message: string, more: { remedy?: string; code?: string; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.remedy = more.remedy ?? null;
    this.code = more.code ?? null;
  }
}

/** Parameters of the command `words` that say too little, or do not go together. */
export function misuseOf(words: string, problem: string): CommandError {
  return new CommandError(2, problem, { remedy: helpHint(words) });
}

/** Where a misused command line leads; `words` is empty for the whole tree. */
export function helpHint(words: string): string {
  return `See "dagain ${words === '' ? '' : `${words} `}--help".`;
}
