import type { Logger } from 'pino';
import { z } from 'zod';
import { createLog } from '../../src/app.ts';

export const LogLine = z.looseObject({ level: z.string(), time: z.iso.datetime(), msg: z.string() });
export type LogLine = z.infer<typeof LogLine>;

/** A log of the service whose lines are kept, as they are and parsed. */
export function captureLog(secrets: readonly string[] = []): { log: Logger; raw: string[]; lines(): LogLine[] } {
  const raw: string[] = [];
  const log = createLog('debug', { secrets, destination: { write: (line) => void raw.push(line) } });
  return { log, raw, lines: () => raw.map((line) => LogLine.parse(JSON.parse(line))) };
}
