import { dueAtOf, type RunRecord } from '../../src/core/record.ts';
import { formatRunKey } from '../../src/core/run-key.ts';
import type { Callback } from '../support/airflow/model/callbacks.ts';
import type { Clear } from '../support/airflow/model/run-state.ts';
import { clockTime } from './clock-time.ts';
import type { SimEvent, SimEventOf } from './events.ts';

/** One line of the trace. Times in it are relative to `startMs`. */
export function describeEvent(event: SimEvent, startMs: number): string {
  const about = 'key' in event ? formatRunKey(event.key) : '';
  const by = 'by' in event ? `${event.by} ` : '';
  return `${about} ${by}${describe(event, startMs)}`.trimStart();
}

function describe(event: SimEvent, startMs: number): string {
  switch (event.type) {
    case 'store_lost':
      return `the store is ${event.how}`;
    case 'rights':
      return event.areThere ? 'our user may do everything again' : 'our user may do nothing';
    case 'note':
      return event.text;
    case 'process':
      return event.what;
    case 'tags_hidden':
      return `cannot see the tags of ${event.dagId}`;
    case 'person':
      return `person: ${event.act} while ${event.stateBefore}${event.restarted ? ', restarted' : ''}`;
    case 'operating':
      return `operator: ${event.action}`;
    case 'answered':
      return `operator: ${event.action} is answered ${event.decision}`;
    case 'alerted':
      return `${event.channel} accepted ${event.kind} (${event.reason}) ${event.dedupeKey}`;
    case 'swapped':
      return describeSwap(event, startMs);
    case 'taken':
      return `took v${event.version}`;
    case 'shown':
      return `Airflow answers #${event.request}: ${event.sight.state}, queued ${event.sight.queuedAt}, started ${event.sight.startedAt}`;
    case 'seen':
      return `has the answer to #${event.request}`;
    case 'clear_sent':
      return `sends clear #${event.request}`;
    case 'clear_over':
      return `clear #${event.request} ${describeEffect(event.clear)}`;
    case 'reported':
      return `is told ${describeCallback(event.callback)}`;
    case 'refused':
      return `does not accept ${describeCallback(event.callback)}`;
    case 'accepted':
      return `accepted ${describeCallback(event.callback)}: ${event.decision}`;
  }
}

function describeEffect(clear: Clear | null): string {
  if (clear === null) return 'is over, without effect';
  return `took effect while ${clear.stateBefore}, ${clear.matched} tasks`;
}

function describeSwap({ before, after, version, isIntake }: SimEventOf<'swapped'>, startMs: number): string {
  return `v${version} ${describeRecord(before, startMs)} -> ${describeRecord(after, startMs)}${isIntake ? ' by a report' : ''}`;
}

function describeRecord(record: RunRecord | null, startMs: number): string {
  if (record === null) return 'nothing';
  const due = dueAtOf(record);
  const dueText = due === null ? '' : ` due ${clockTime(due - startMs)}`;
  const reason = 'reason' in record ? ` ${record.reason}` : '';
  const retry = record.phase === 'waiting' ? ` retry ${clockTime(record.retryAtMs - startMs)}` : '';
  const held = record.held === null ? '' : ' held';
  const counts = `a${record.attempt} ${record.retriesUsed}/${record.maxRetries} sent ${record.clearsSent}`;
  const parts = `f${record.failures.length} o${record.outbox.length}`;
  return `[${record.phase}${reason}${held} ${counts} ${parts}${dueText}${retry}]`;
}

export function describeCallback({ type, body }: Callback): string {
  const task = 'task_id' in body ? ` ${body.task_id}[${body.map_index}] try ${body.try_number}` : '';
  const run =
    'dag_run' in body ? ` start ${body.dag_run?.start_date ?? '?'} clear ${body.dag_run?.clear_number ?? '?'}` : '';
  const exception = 'exception' in body ? ` ${body.exception?.type ?? body.exception?.message ?? ''}` : '';
  return `${type}${task}${run}${exception}`;
}
