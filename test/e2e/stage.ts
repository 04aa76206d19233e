import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { makeDagsFolder } from './airflow/dags-folder.ts';
import { AIRFLOW_VERSIONS, type AirflowVersion } from './airflow/settings.ts';
import { type Airflow, startAirflow } from './airflow/start.ts';
import { type Sidecar, startSidecar } from './sidecar.ts';

const CALLBACK_TOKEN = 'callback-token';

/** Who clears, as Airflow's audit log has it, when it is the sidecar. */
export const OURS = 'dagain';

/** One real Airflow whose Dags report to a sidecar, which each test starts as it needs it; all in one folder. */
export interface Stage {
  readonly folder: string;
  readonly airflow: Airflow;
  /** Its log goes to `<name>.log` in the folder; it reaches Airflow directly unless told otherwise. */
  startSidecar(name: string, env: Readonly<Record<string, string>>, airflowUrl?: string): Promise<Sidecar>;
  /** Who cleared the run. */
  clearers(dagId: string, runId: string): Promise<(string | null)[]>;
  close(): Promise<void>;
}

/** The versions to test: all, or those that `E2E_AIRFLOW=3.3.2` names. @throws Error when it names none */
export function chosenVersions(): AirflowVersion[] {
  const only = process.env['E2E_AIRFLOW'];
  const versions = AIRFLOW_VERSIONS.filter((version) => only === undefined || only.split(',').includes(version));
  if (versions.length === 0)
    throw new Error(`E2E_AIRFLOW must name some of ${AIRFLOW_VERSIONS.join(', ')}, is ${only}`);
  return versions;
}

/** `airflowEnv` wins over the harness's own settings; `fillDags` makes the dags folder and returns it. */
export async function setStage(
  version: AirflowVersion,
  dagIds: readonly string[],
  airflowEnv: Readonly<Record<string, string>> = {},
  fillDags: (folder: string) => Promise<string> = makeDagsFolder,
): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), `dagain-e2e-${version}-`));
  const dagsFolder = await fillDags(join(folder, 'dags'));
  const port = await freePort();
  const env = { DAGAIN_URL: `http://127.0.0.1:${port}`, DAGAIN_CALLBACK_TOKEN: CALLBACK_TOKEN, ...airflowEnv };
  const home = join(folder, 'airflow');
  const airflow = await startAirflow({ version, home, dagsFolder, dagIds, env }).catch(async (error: unknown) => {
    await removeUnlessKept(folder);
    throw error;
  });
  for (const dagId of dagIds) await airflow.api.setPaused(dagId, false);
  return {
    folder,
    airflow,
    startSidecar: (name, more, airflowUrl = airflow.url) =>
      startSidecar({
        port,
        airflowUrl,
        logFile: join(folder, `${name}.log`),
        env: { DAGAIN_CALLBACK_TOKEN: CALLBACK_TOKEN, ...more },
      }),
    clearers: async (dagId, runId) => (await airflow.api.clears(dagId, runId)).map((clear) => clear.owner),
    async close() {
      await airflow.stop();
      await removeUnlessKept(folder);
    },
  };
}

/** `E2E_KEEP=1` leaves the logs to be looked at. */
async function removeUnlessKept(folder: string): Promise<void> {
  if (process.env['E2E_KEEP'] === undefined) await rm(folder, { recursive: true, force: true });
  else process.stderr.write(`kept ${folder}\n`);
}
