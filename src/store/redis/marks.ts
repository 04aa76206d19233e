import { z } from 'zod';
import type { MarkName } from '../port.ts';
import { ADVANCE_MARK, runScript, type Send } from './scripts.ts';

const TimeText = z.string().transform(Number).pipe(z.number());

export async function readMark(send: Send, marks: string, name: MarkName): Promise<number | null> {
  return TimeText.nullable().parse(await send(['HGET', marks, name]));
}

export async function advanceMark(send: Send, marks: string, name: MarkName, toMs: number): Promise<number> {
  return TimeText.parse(await runScript(send, ADVANCE_MARK, [marks], [name, String(Math.floor(toMs))]));
}
