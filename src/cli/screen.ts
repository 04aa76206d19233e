import type { ReadStream, WriteStream } from 'node:tty';
import type { Variables } from '../config/setting.ts';
import type { Screen } from './command.ts';

export interface Streams {
  readonly stdin: NodeJS.ReadStream & Partial<Pick<ReadStream, 'isTTY'>>;
  readonly stdout: NodeJS.WriteStream & Partial<Pick<WriteStream, 'columns' | 'rows'>>;
  readonly stderr: NodeJS.WriteStream;
}

/** The process's own streams. */
export function createScreen({ stdin, stdout, stderr }: Streams, variables: Variables): Screen {
  const isTerminal = stdout.isTTY === true;
  // See no-color.org: set and not empty.
  const isColoured = isTerminal && !variables['NO_COLOR'] && variables['TERM'] !== 'dumb';
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    // Looked up each time: people resize their terminals.
    get size() {
      return isTerminal ? { columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 } : null;
    },
    isColoured,
    ask: stdin.isTTY === true && isTerminal ? (question) => askOn({ stdin, stdout, stderr }, question) : null,
  };
}

/** An end of input is a no. */
async function askOn({ stdin, stdout }: Streams, question: string): Promise<string> {
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: stdin, output: stdout });
  return new Promise((resolve) => {
    lines.question(question, (answer) => {
      resolve(answer);
      lines.close();
    });
    lines.once('close', () => resolve(''));
    lines.once('SIGINT', () => lines.close());
  });
}
