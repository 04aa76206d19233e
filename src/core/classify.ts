import { matchesAnyGlob } from './glob.ts';
import type { FailureClass } from './policy.ts';

/** What is known of a failure when its class is worked out. */
export interface FailureSigns {
  /** The class that the caller gave. */
  readonly given: FailureClass | null;
  /** Airflow's own reason for a failure of the run: `task_failure`, `timed_out`, `all_tasks_deadlocked`. */
  readonly runReason: string | null;
  /** Dotted name of the exception's type. */
  readonly exceptionType: string | null;
  readonly message: string | null;
}

/**
 * One rule of the table; the first that matches decides. Types are compared by their last part as well; messages are
 * globs in lower case, and case does not matter.
 */
export interface ClassRule {
  readonly failureClass: FailureClass;
  readonly when: string;
  readonly runReasons?: readonly string[];
  readonly types?: readonly string[];
  readonly messages?: readonly string[];
}

/** How a failure's class is worked out, in order; the documentation's table is made from it. */
export const CLASS_RULES: readonly ClassRule[] = [
  { failureClass: 'timeout', when: 'the Dag run reached dagrun_timeout', runReasons: ['timed_out'] },
  { failureClass: 'deadlock', when: 'no task of the run could make progress', runReasons: ['all_tasks_deadlocked'] },
  {
    failureClass: 'timeout',
    when: 'a task reached execution_timeout, or a sensor its timeout',
    types: ['AirflowTaskTimeout', 'AirflowSensorTimeout', 'TaskDeferralTimeout'],
  },
  {
    failureClass: 'infra',
    when: 'the process was ended from outside',
    types: ['AirflowTaskTerminated', 'SystemExit', 'KeyboardInterrupt', 'MemoryError', 'TaskAlreadyRunningError'],
  },
  {
    failureClass: 'infra',
    when: 'Airflow noticed that the task is gone: heartbeat lost, killed, stuck in queue',
    messages: [
      '*heartbeat*',
      '*zombie*',
      '*sigkill*',
      '*sigterm*',
      '*killed externally*',
      '*finished with state*but the task instance*',
      '*stuck in queued*',
      '*exit code -9*',
      '*out of memory*',
      '*pod*evicted*',
      // All that Airflow 2 says of a task whose process is gone: where it was.
      "{'dag id': *'hostname': *",
    ],
  },
];

/** Works out a failure's class by CLASS_RULES; what the caller gave wins, and what no rule knows is a `task_error`. */
export function classify(signs: FailureSigns): FailureClass {
  if (signs.given !== null) return signs.given;
  return CLASS_RULES.find((rule) => applies(rule, signs))?.failureClass ?? 'task_error';
}

function applies(rule: ClassRule, signs: FailureSigns): boolean {
  const type = signs.exceptionType ?? '';
  const lastPart = type.slice(type.lastIndexOf('.') + 1);
  if (rule.runReasons !== undefined && signs.runReason !== null) return rule.runReasons.includes(signs.runReason);
  if (rule.types !== undefined && type !== '') return rule.types.includes(lastPart) || rule.types.includes(type);
  // Only Airflow's own messages: an exception of the user's code may hold any words.
  if (rule.messages !== undefined && type === '') {
    return matchesAnyGlob(rule.messages, (signs.message ?? '').toLowerCase());
  }
  return false;
}
