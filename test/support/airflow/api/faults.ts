import type { AirflowRequest } from './messages.ts';

/** What goes wrong. `before`: Airflow never saw the request. `after`: it was carried out, and the answer is lost. */
export type FaultAction =
  | { readonly type: 'delay'; readonly delayMs: number; readonly when?: When }
  | { readonly type: 'hang'; readonly when?: When }
  | { readonly type: 'reset'; readonly when?: When }
  | {
      readonly type: 'status';
      readonly status: number;
      readonly when?: When;
      readonly retryAfter?: string;
      readonly body?: string;
    }
  /** A page with status 200, as a login wall or a maintenance page sends. */
  | { readonly type: 'html'; readonly when?: When }
  | { readonly type: 'redirect'; readonly location: string; readonly status?: number; readonly when?: When }
  | { readonly type: 'truncated'; readonly when?: When }
  | { readonly type: 'empty'; readonly when?: When }
  | { readonly type: 'enormous'; readonly bytes?: number; readonly when?: When };

export type When = 'before' | 'after';

export interface FaultRule {
  readonly action: FaultAction;
  readonly method?: string;
  /** A route's name, such as `clear`. */
  readonly route?: string;
  readonly path?: RegExp;
  /** From the n-th matching request on, counted from when the rule was added; 1 is the next. */
  readonly nth?: number;
  /** For so many requests; once by default. */
  readonly times?: number;
}

export interface Faults {
  /** Returns a function that takes the rule back. The first rule that matches a request wins. */
  add(rule: FaultRule): () => void;
  /** Asked for every request that no rule matches; for simulations that draw their faults. */
  setChooser(choose: ((request: AirflowRequest, route: string) => FaultAction | null) | null): void;
  clear(): void;
  /** How often a fault was injected. */
  injected(): number;
  pick(request: AirflowRequest, route: string): FaultAction | null;
}

export function createFaults(): Faults {
  let rules: { readonly rule: FaultRule; seen: number }[] = [];
  let chooser: Parameters<Faults['setChooser']>[0] = null;
  let injected = 0;

  const pickRule = (request: AirflowRequest, route: string): FaultAction | null => {
    let picked: FaultAction | null = null;
    for (const entry of rules) {
      const { rule } = entry;
      if (!matches(rule, request, route)) continue;
      entry.seen += 1;
      const { nth = 1, times = 1 } = rule;
      if (picked === null && entry.seen >= nth && entry.seen < nth + times) picked = rule.action;
    }
    return picked;
  };

  return {
    add(rule) {
      const entry = { rule, seen: 0 };
      rules.push(entry);
      return () => {
        rules = rules.filter((other) => other !== entry);
      };
    },
    setChooser(choose) {
      chooser = choose;
    },
    clear() {
      rules = [];
      chooser = null;
    },
    injected: () => injected,
    pick(request, route) {
      const action = pickRule(request, route) ?? chooser?.(request, route) ?? null;
      if (action !== null) injected += 1;
      return action;
    },
  };
}

function matches(rule: FaultRule, request: AirflowRequest, route: string): boolean {
  if (rule.method !== undefined && rule.method !== request.method) return false;
  if (rule.route !== undefined && rule.route !== route) return false;
  return rule.path === undefined || rule.path.test(request.path);
}
