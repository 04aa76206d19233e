import type {
  Behaviour,
  DagDefinition,
  TaskDefinition,
  TriggerRule,
} from '../../support/airflow/model/dag-definition.ts';
import { fail, killed, lost, succeed } from '../../support/airflow/model/dag-definition.ts';
import type { Dice } from '../dice.ts';

/** What the built-in policy never retries. */
export const NEVER_RETRIED = 'airflow.exceptions.AirflowFailException';

const EXCEPTIONS = ['ValueError', 'builtins.ConnectionError', 'airflow.exceptions.AirflowTaskTimeout', 'KeyError'];

/** A Dag whose tasks fail in the ways that matter, for one attempt or for many. */
export function drawDag(dagId: string, dice: Dice): DagDefinition {
  const tags = dice.chance(0.25) ? [`dagain/max_retries=${dice.whole(0, 3)}`, 'team-a'] : ['team-a'];
  return {
    dagId,
    tags,
    tasks: drawTasks(dice),
    maxActiveRuns: dice.pick([1, 2, 16]),
    callbacks: drawCallbacks(dice),
    ...(dice.chance(0.15) ? { dagrunTimeoutMs: dice.whole(20, 120) * 1_000 } : {}),
    ...(dice.chance(0.1) ? { retry: { max_retries: dice.whole(0, 4) } } : {}),
  };
}

/** Most authors put all of them in, some only one. */
function drawCallbacks(dice: Dice): NonNullable<DagDefinition['callbacks']> {
  if (dice.chance(0.6)) return {};
  if (dice.chance(0.3)) return { taskFailed: false };
  return { runFailed: dice.chance(0.5), runSucceeded: dice.chance(0.5) };
}

function drawTasks(dice: Dice): TaskDefinition[] {
  const failing = drawFailing(dice);
  switch (dice.whole(0, 4)) {
    case 0:
      return failing;
    case 1:
      return [task('extract', [], dice), ...failing.map((one) => ({ ...one, upstream: ['extract'] }))];
    case 2:
      // The run succeeds in spite of its failed tasks.
      return [...failing, { ...task('clean_up', idsOf(failing), dice), triggerRule: 'all_done' }];
    case 3:
      return [
        ...failing,
        { ...task('join', idsOf(failing), dice), triggerRule: dice.pick(['all_success', 'one_failed']) },
      ];
    default:
      return [...failing, task('long', [], dice, [succeed(dice.whole(60, 400) * 1_000)])];
  }
}

function drawFailing(dice: Dice): TaskDefinition[] {
  const parallel = dice.pick([1, 1, 2, 3, 6]);
  const together = dice.chance(0.5) ? drawBehaviour(dice) : null;
  return Array.from({ length: parallel }, (_, index) => {
    // So many attempts of the run fail in this task; the last draw: all of them.
    const failingAttempts = dice.pick([0, 1, 1, 2, 3, Number.POSITIVE_INFINITY]);
    const script: TaskDefinition['script'] = ({ attempt }) => {
      if (attempt > failingAttempts) return succeed(dice.whole(1, 20) * 1_000);
      return together ?? drawBehaviour(dice);
    };
    const hasRetries = dice.chance(0.25);
    return {
      taskId: `fail_${index}`,
      script,
      ...(hasRetries ? { retries: 1, retryDelayMs: 10_000 } : {}),
      ...(dice.chance(0.1) ? { mapped: dice.pick([2, 24]) } : {}),
      ...(dice.chance(0.1) ? { operator: 'ShortCircuitOperator' } : {}),
    };
  });
}

function drawBehaviour(dice: Dice): Behaviour {
  const durationMs = dice.whole(1, dice.pick([2, 30, 90])) * 500;
  const drawn = dice.random();
  if (drawn < 0.1) return killed(durationMs);
  if (drawn < 0.15) return lost(durationMs);
  if (drawn < 0.2) return fail({ durationMs, type: NEVER_RETRIED });
  const callbacks = dice.pick([0, 1, 1, 1, 2]);
  const retry = dice.chance(0.05) ? { max_retries: dice.whole(0, 3) } : {};
  return fail({ durationMs, type: dice.pick(EXCEPTIONS), callbacks, retry });
}

function task(
  taskId: string,
  upstream: readonly string[],
  dice: Dice,
  script?: TaskDefinition['script'],
): TaskDefinition {
  const triggerRule: TriggerRule = 'all_success';
  return { taskId, upstream, triggerRule, script: script ?? [succeed(dice.whole(1, 20) * 1_000)] };
}

function idsOf(tasks: readonly TaskDefinition[]): string[] {
  return tasks.map((one) => one.taskId);
}
