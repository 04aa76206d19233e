import { type AirflowApi, type AirflowApiOptions, createAirflowApi } from '../support/airflow/api/api.ts';
import type { AirflowVersion } from '../support/airflow/model/versions.ts';
import { createScenario, KEY, type Scenario } from './scenario.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed where it is JSON. */
  readonly body: unknown;
}

export interface ApiScenario extends Scenario {
  readonly api: AirflowApi;
  readonly version: AirflowVersion;
  /** `/api/v1` or `/api/v2`. */
  readonly base: string;
  /** The path of the run that every test uses. */
  readonly runPath: string;
  /** As the user `admin`, unless `authorization` says otherwise (null: without that header). */
  call(method: string, path: string, body?: unknown, authorization?: string | null): Promise<Answer>;
}

type Options = NonNullable<Parameters<typeof createScenario>[0]> & Omit<AirflowApiOptions, 'model'>;

/** Airflow's REST API in this process, on virtual time. */
export function createApiScenario({ auth, basePath, version = '3.3', ...options }: Options = {}): ApiScenario {
  const scenario = createScenario({ ...options, version });
  const api = createAirflowApi({
    model: scenario.model,
    ...(auth === undefined ? {} : { auth }),
    ...(basePath === undefined ? {} : { basePath }),
  });
  const base = `/api/${scenario.model.traits.api}`;
  const own = () => {
    if (scenario.model.traits.api === 'v1') return `Basic ${btoa('admin:admin')}`;
    return `Bearer ${api.auth.login('admin', 'admin') ?? ''}`;
  };
  return {
    ...scenario,
    api,
    version,
    base,
    runPath: `${base}/dags/etl/dagRuns/${encodeURIComponent(KEY.dagRunId)}`,
    async call(method, path, body, authorization = own()) {
      const headers = {
        ...(authorization === null ? {} : { authorization }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const text = body === undefined ? '' : JSON.stringify(body);
      const answer = await api.handle({ method, path, headers, body: text });
      return { ...answer, body: parse(answer.body) };
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A run that has failed, ready to be cleared. */
export async function createFailedRun(options: Options = {}): Promise<ApiScenario> {
  const scenario = createApiScenario(options);
  scenario.model.trigger(KEY);
  await scenario.timers.advanceUntilIdle();
  await scenario.timers.advanceBy(60_000);
  return scenario;
}
