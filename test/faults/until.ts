import { setTimeout as pause } from 'node:timers/promises';

const LIMIT_MS = 60_000;

/**
 * Asks again and again until the answer is right. For tests that run beside others, where `expect.poll` does not know
 * its own. @throws Error with the last answer, after a minute
 */
export async function until<T>(ask: () => T | Promise<T>, isRight: (answer: T) => boolean): Promise<void> {
  const giveUpAtMs = Date.now() + LIMIT_MS;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return;
    if (Date.now() > giveUpAtMs) throw new Error(`after ${LIMIT_MS} ms it is ${JSON.stringify(answer)}`);
    await pause(50);
  }
}
