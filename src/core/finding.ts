/** What one check of the surroundings found, and what to do about it. */
export type Finding =
  | { readonly result: 'ok'; readonly found: string }
  | { readonly result: 'warn' | 'fail'; readonly found: string; readonly remedy: string };

export interface Check {
  readonly name: string;
  /** Changes nothing that matters. What is out of order is a finding; only a surprise rejects. */
  run(): Promise<Finding>;
}

export function ok(found: string): Finding {
  return { result: 'ok', found };
}

/** It works, but something may bite. */
export function warn(found: string, remedy: string): Finding {
  return { result: 'warn', found, remedy };
}

/** Runs would not be retried, or not safely. */
export function fail(found: string, remedy: string): Finding {
  return { result: 'fail', found, remedy };
}
