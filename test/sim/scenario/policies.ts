import type { PolicyLayer } from '../../../src/core/policy-layer.ts';
import type { PolicyDocument } from '../../../src/engine/policies.ts';
import type { Dice } from '../dice.ts';

/** What stays the same over all reloads, so that the checks can go by it. */
export interface PolicyFrame {
  readonly defaults: PolicyLayer;
  readonly dags: readonly (PolicyLayer & { readonly match: string })[];
}

export function drawFrame(dagIds: readonly string[], dice: Dice): PolicyFrame {
  const defaults: PolicyLayer = {
    backoff: dice.pick(['none', 'none', 'linear', 'exponential'] as const),
    jitter: dice.pick(['none', 'spread'] as const),
    strategy: dice.pick(['all_tasks', 'all_tasks', 'from_failure'] as const),
    settle_timeout: dice.whole(2, dice.pick([10, 90])) * 60_000,
    on_settle_timeout: dice.chance(0.15) ? 'clear' : 'give_up',
    max_duration: dice.pick([10, 60, 480]) * 60_000,
    alerts: dice.pick(['final', 'final', 'every_attempt', 'first_failure'] as const),
  };
  return { defaults, dags: dagIds.filter(() => dice.chance(0.4)).map((match) => drawEntry(match, dice)) };
}

function drawEntry(match: string, dice: Dice): PolicyFrame['dags'][number] {
  return {
    match,
    ...(dice.chance(0.25) ? { gate: 'immediate' as const } : {}),
    ...(dice.chance(0.15) ? { ignore_tasks: ['fail_1'] } : {}),
    ...(dice.chance(0.1) ? { only_tasks: ['fail_*'] } : {}),
    ...(dice.chance(0.1) ? { ignore_operators: ['ShortCircuit*'] } : {}),
    ...(dice.chance(0.1) ? { retry_on: ['infra' as const, 'timeout' as const] } : {}),
    ...(dice.chance(0.2) ? { manual_runs: 'ignore' as const } : {}),
    ...(dice.chance(0.2) ? { strategy: 'from_failure' as const } : {}),
  };
}

/** The document as somebody writes it at some moment: caps and delays differ from one reload to the next. */
export function drawDocument(frame: PolicyFrame, dice: Dice): PolicyDocument {
  const delays = { delay: dice.whole(10, dice.pick([40, 240])) * 1_000, max_delay: 10 * 60_000 };
  return {
    environment: { max_retries: dice.whole(1, 3) },
    file: {
      defaults: { ...frame.defaults, ...delays, ...drawCaps(dice) },
      dags: frame.dags.map((entry) => ({ ...entry, ...(dice.chance(0.3) ? { max_retries: dice.whole(0, 4) } : {}) })),
      limits: dice.chance(0.3) ? { max_retries: dice.whole(1, 3) } : {},
    },
  };
}

function drawCaps(dice: Dice): PolicyLayer {
  return {
    ...(dice.chance(0.5) ? { max_retries: dice.whole(0, 3) } : {}),
    ...(dice.chance(0.25) ? { max_retries_by_class: { infra: dice.whole(0, 3) } } : {}),
  };
}
