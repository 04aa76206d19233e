import { describe, expect, test } from 'vitest';
import { CLASS_RULES, classify, type FailureSigns } from '../../src/core/classify.ts';

const NOTHING: FailureSigns = { given: null, runReason: null, exceptionType: null, message: null };
const classOf = (signs: Partial<FailureSigns>) => classify({ ...NOTHING, ...signs });

describe('classify', () => {
  test.each([
    [{}, 'task_error'],
    [{ runReason: 'timed_out' }, 'timeout'],
    [{ runReason: 'all_tasks_deadlocked' }, 'deadlock'],
    [{ runReason: 'task_failure' }, 'task_error'],
    [{ runReason: 'something new' }, 'task_error'],
    [{ exceptionType: 'builtins.ValueError', message: 'no rows' }, 'task_error'],
    [{ exceptionType: 'airflow.sdk.exceptions.AirflowTaskTimeout', message: 'Timeout, PID: 3489' }, 'timeout'],
    [{ exceptionType: 'airflow.exceptions.AirflowTaskTimeout' }, 'timeout'],
    [{ exceptionType: 'AirflowSensorTimeout' }, 'timeout'],
    [{ exceptionType: 'airflow.exceptions.TaskDeferralTimeout' }, 'timeout'],
    [{ exceptionType: 'builtins.TimeoutError' }, 'task_error'],
    [{ exceptionType: 'MyAirflowTaskTimeout' }, 'task_error'],
    [{ exceptionType: 'airflow.exceptions.AirflowTaskTerminated' }, 'infra'],
    [{ exceptionType: 'builtins.SystemExit' }, 'infra'],
    [{ exceptionType: 'builtins.MemoryError' }, 'infra'],
    [{ message: 'Task did not emit heartbeat within time limit' }, 'infra'],
    [{ message: 'Detected zombie job: {...}' }, 'infra'],
    [{ message: 'Task was killed externally' }, 'infra'],
    [{ message: 'Executor reports task finished with state failed, but the task instance is running' }, 'infra'],
    [{ message: 'Task stuck in queued; will be marked as failed' }, 'infra'],
    [{ message: 'Task exited with return code Negsignal.SIGKILL' }, 'infra'],
    [{ message: 'process ended with exit code -9' }, 'infra'],
    [{ message: 'Pod worker-1 was evicted' }, 'infra'],
    [{ message: 'something else' }, 'task_error'],
    [{ runReason: 'task_failure', message: 'Detected zombie job' }, 'infra'],
  ] as const)('%j is %s', (signs, expected) => {
    expect(classOf(signs)).toBe(expected);
  });

  test('what Airflow 2 says of a task whose process is gone is infra: it names where the task was, and nothing else', () => {
    // As a real 2.11.2 put it: see test/e2e/airflow/OBSERVED.md.
    const message = "{'DAG Id': 'probe_kill', 'Task Id': 'k', 'Run Id': 'm1', 'Hostname': 'vm'}";
    expect(classOf({ message })).toBe('infra');
    expect(classOf({ message, exceptionType: 'builtins.ValueError' })).toBe('task_error');
  });

  test("words in an exception of the user's code mean nothing", () => {
    for (const message of ['lost the heartbeat of a sensor', 'killed externally', 'SIGKILL']) {
      expect(classOf({ exceptionType: 'my.Error', message })).toBe('task_error');
    }
  });

  test('what the caller gave wins over everything', () => {
    for (const given of ['task_error', 'infra', 'timeout', 'deadlock'] as const) {
      expect(classOf({ given, runReason: 'timed_out', exceptionType: 'builtins.SystemExit' })).toBe(given);
    }
  });

  test('every rule says in words when it applies', () => {
    for (const rule of CLASS_RULES) {
      expect(rule.when).not.toBe('');
      expect([rule.runReasons, rule.types, rule.messages].filter((signs) => signs !== undefined)).toHaveLength(1);
    }
  });
});
