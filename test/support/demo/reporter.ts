import type { Callback } from '../airflow/model/callbacks.ts';
import type { Narrator } from './narrator.ts';

/** Sends what the Airflow side's callbacks would send, and tells of the answers. */
export interface Reporter {
  sendTo(url: string): void;
  report(callback: Callback): Promise<void>;
}

interface Answer {
  readonly decision: string;
  readonly reason: string;
  readonly next_attempt: number | null;
  readonly due_at: string | null;
}

export function createReporter(narrator: Narrator): Reporter {
  let base = '';
  return {
    sendTo(url) {
      base = url;
    },
    async report({ type, body }) {
      const task = 'task_id' in body ? ` of task ${body.task_id}` : '';
      const answer = await fetch(`${base}/v1/callbacks/${type}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const said = (await answer.json()) as Answer;
      const next = said.next_attempt === null ? '' : `, attempt ${said.next_attempt}`;
      narrator.tell('callback', body.dag_id, `${type}${task} -> ${said.decision} (${said.reason}${next})`);
    },
  };
}
