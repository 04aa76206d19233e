import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answering, PagerDutyEvent } from '../alerts/apis.ts';
import { startReceiver } from '../alerts/receiver.ts';
import { type AirflowApi, createAirflowApi } from './airflow/api.ts';
import { USERS } from './airflow/settings.ts';
import { type AlertReceiver, startAlertReceiver } from './alert-receiver.ts';
import { chosenVersions, type Stage, setStage } from './stage.ts';

const DAG = 'fail_twice_then_succeed';
const ROUTING_KEY = '0123456789abcdef0123456789abcdef';

describe.each(chosenVersions())('Airflow %s', (version) => {
  let stage: Stage;
  let api: AirflowApi;
  let alerts: AlertReceiver;

  beforeAll(async () => {
    stage = await setStage(version, [DAG]);
    api = createAirflowApi({ version, url: stage.airflow.url, ...USERS[0] });
    alerts = await startAlertReceiver();
  });

  afterAll(async () => {
    await alerts?.close();
    await stage?.close();
  });

  test('a run that a person clears after the give-up and that then succeeds resolves what it had opened', async () => {
    const pagerduty = await startReceiver(answering(PagerDutyEvent, { status: 202 }, { status: 400 }));
    const sidecar = await stage.startSidecar('sidecar', {
      DAGAIN_DATA_DIR: join(stage.folder, 'data'),
      DAGAIN_MAX_RETRIES: '1',
      DAGAIN_RETRY_DELAY: '1s',
      DAGAIN_SWEEP_INTERVAL: '5s',
      DAGAIN_ALERT_WEBHOOK_URL: alerts.url,
      DAGAIN_PAGERDUTY_ROUTING_KEY: ROUTING_KEY,
      DAGAIN_PAGERDUTY_EVENTS_URL: `${pagerduty.url}/v2/enqueue`,
    });
    const id = 'e2e_recovery__2026-11-21T06:00:00.000+00:00';
    await api.trigger(DAG, id);
    await sidecar.waitFor(DAG, id, (view) => view?.phase === 'gave_up');
    expect(alerts.accepted.map(({ type, reason }) => [type, reason])).toEqual([['gave_up', 'max_retries_reached']]);

    await api.clear(DAG, id);
    await api.waitForRun(DAG, id, (run) => run.state === 'success' && run.endedAt !== null);
    await sidecar.waitFor(DAG, id, (view) => view === null);
    expect(alerts.accepted.map(({ type, reason }) => [type, reason])).toEqual([
      ['gave_up', 'max_retries_reached'],
      ['recovered', 'run_succeeded'],
    ]);
    const events = pagerduty.seen.map(({ body }) => PagerDutyEvent.parse(JSON.parse(body)));
    const opened = events.filter(({ event_action }) => event_action === 'trigger').map(({ dedup_key }) => dedup_key);
    // Once, or on a busy machine the same once more: delivery is at least once.
    expect(new Set(opened).size).toBe(1);
    expect(events.slice(2)).toContainEqual({ event_action: 'resolve', dedup_key: opened[0], routing_key: ROUTING_KEY });
    expect(await sidecar.stop()).toBe(0);
  });
});
