import type { AirflowApi } from '../../support/airflow/api/api.ts';
import type { AirflowModel } from '../../support/airflow/model/model.ts';
import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';
import type { Journal } from '../journal.ts';
import { OUR_USER } from './replica.ts';

export interface TroublesDeps {
  readonly api: AirflowApi;
  readonly model: AirflowModel;
  readonly timers: Timers;
  readonly dice: Dice;
  readonly journal: Journal;
}

/** What an Airflow goes through that is up: each ends by itself after some minutes. */
export function causeTrouble({ api, model, timers, dice, journal }: TroublesDeps): void {
  const lastsMs = dice.whole(5, 300) * 1_000;
  const tell = (text: string) => {
    journal.count(`Airflow: ${text}`);
    journal.tell({ type: 'note', text: `Airflow: ${text} for ${lastsMs} ms` });
  };
  switch (dice.whole(0, 2)) {
    case 0:
      tell('its secret is rotated');
      api.auth.rotateSecret();
      return;
    case 1:
      tell('our user may do nothing');
      api.auth.forbid(OUR_USER);
      journal.tell({ type: 'rights', areThere: false });
      timers.schedule(lastsMs, () => {
        api.auth.allow(OUR_USER);
        journal.tell({ type: 'rights', areThere: true });
      });
      return;
    default: {
      const dag = dice.pick(model.dags());
      tell('a Dag cannot be loaded');
      dag.isUnloadable = true;
      timers.schedule(lastsMs, () => {
        dag.isUnloadable = false;
      });
    }
  }
}
