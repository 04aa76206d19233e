/** What became of a call: how it is counted, and how long it took. */
export type TellCall = (operation: string, result: string, durationMs: number) => void;

export interface MeasureOptions {
  readonly nowMs: () => number;
  /** A short stable word for an answer, and for what a call was rejected with. */
  readonly resultOf: (operation: string, answer: unknown) => string;
  readonly failureOf: (error: unknown) => string;
  readonly tell: TellCall;
}

/** The same port, whose every call that takes time is told of under its name in snake_case. */
export function measureCalls<T extends object>(port: T, options: MeasureOptions): T {
  const wrapped = new Map<PropertyKey, unknown>();
  return new Proxy(port, {
    get(target, name) {
      const known = wrapped.get(name);
      if (known !== undefined) return known;
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      const operation = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const call = (...args: unknown[]) => {
        const startedAtMs = options.nowMs();
        const answer: unknown = Reflect.apply(member, target, args);
        return answer instanceof Promise ? watch(answer, operation, startedAtMs, options) : answer;
      };
      wrapped.set(name, call);
      return call;
    },
  });
}

async function watch(answer: Promise<unknown>, operation: string, startedAtMs: number, options: MeasureOptions) {
  const { nowMs, resultOf, failureOf, tell } = options;
  try {
    const value = await answer;
    tell(operation, resultOf(operation, value), nowMs() - startedAtMs);
    return value;
  } catch (error) {
    tell(operation, failureOf(error), nowMs() - startedAtMs);
    throw error;
  }
}
