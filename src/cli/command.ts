/** Where commands read and write; handed in, so that tests can look. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

/** 0: done. 1: it did not work. 2: wrong usage or settings. */
export type ExitCode = 0 | 1 | 2;
