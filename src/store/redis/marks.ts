import { z } from 'zod';
import type { MarkName } from '../port.ts';
import { ADVANCE_MARK, ADVANCE_MARK_FROM, runScript, type Send } from './scripts.ts';

const TimeText = z.string().transform(Number).pipe(z.number());

export async function readMark(send: Send, marks: string, name: MarkName): Promise<number | null> {
  return TimeText.nullable().parse(await send(['HGET', marks, name]));
}

export async function advanceMark(send: Send, marks: string, name: MarkName, toMs: number): Promise<number> {
  return TimeText.parse(await runScript(send, ADVANCE_MARK, [marks], [name, String(Math.floor(toMs))]));
}

export async function advanceMarkFrom(
  send: Send,
  marks: string,
  name: MarkName,
  fromMs: number,
  toMs: number,
): Promise<boolean> {
  const args = [name, String(fromMs), String(Math.floor(toMs))];
  return z.union([z.literal(0), z.literal(1)]).parse(await runScript(send, ADVANCE_MARK_FROM, [marks], args)) === 1;
}
