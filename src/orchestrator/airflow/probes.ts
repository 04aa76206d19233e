import { type Check, type Finding, fail, ok, warn } from '../../core/finding.ts';
import { toUnavailable, type Unavailable } from './answers.ts';
import { readOwnClears } from './audit.ts';
import type { Credentials } from './auth.ts';
import type { ApiCall, ApiResult } from './client.ts';
import { type AirflowLink, type AirflowOptions, askVersion, connectAirflow } from './connect.ts';
import { ALL } from './paths.ts';
import { probeClear } from './probe-clear.ts';
import { describeSupport } from './probe-version.ts';
import { loginRemedy, notAllowed, remedyFor } from './remedies.ts';
import type { AirflowVersion } from './versions.ts';

/** Clocks further apart than this, in milliseconds, are told of; the `Date` header alone is up to a second old. */
const TOLERATED_SKEW_MS = 30_000;
/** How far back the audit log is read, in milliseconds: only whether it can be matters. */
const RECENT_MS = 60_000;

/** Checks of one Airflow and of what these credentials may do there. */
export interface AirflowProbes {
  readonly checks: readonly Check[];
  close(): Promise<void>;
}

/** @throws DagainError `configuration_invalid` for an address that cannot be Airflow's */
export function createAirflowProbes(options: AirflowOptions): AirflowProbes {
  const link = connectAirflow(options);
  const { credentials, clock } = options;
  // One look serves all checks: none of them can say anything without it.
  const version = once(() => link.versions.current());
  const onAirflow = (probe: (found: AirflowVersion) => Promise<Finding>) => async () => {
    const found = await version();
    return found.type === 'unavailable' ? NOT_TRIED : await probe(found);
  };
  const reading = (what: string, segments: ApiCall['segments']) => ({
    name: what,
    run: onAirflow(async ({ api }) => {
      const call: ApiCall = { api, method: 'GET', segments, query: { limit: '1' } };
      return readable(await link.client.call(call, link.startLimit()), what, credentials);
    }),
  });
  return {
    checks: [
      { name: 'airflow', run: async () => reachable(await version(), credentials) },
      { name: 'credentials', run: onAirflow((found) => probeLogin(link, found, credentials)) },
      reading('read Dags', ['dags']),
      reading('read runs', ['dags', ALL, 'dagRuns']),
      { name: 'audit log', run: onAirflow((found) => probeAuditLog(link, options, found)) },
      { name: 'clear runs', run: onAirflow((found) => probeClear(link, found, credentials)) },
      { name: "airflow's clock", run: onAirflow((found) => probeClock(link, found, clock)) },
    ],
    close: () => link.close(),
  };
}

const NOT_TRIED = warn('not tried: Airflow was not found', 'Do first what is said about airflow.');

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | null = null;
  return () => {
    asked ??= ask();
    return asked;
  };
}

function reachable(version: AirflowVersion | Unavailable, credentials: Credentials): Finding {
  if (version.type === 'known') return describeSupport(version);
  return fail(version.detail, remedyFor(version, credentials));
}

/** Whether the credentials are taken; what they may do is for the others to find out. */
async function probeLogin(link: AirflowLink, { api }: AirflowVersion, credentials: Credentials): Promise<Finding> {
  const call: ApiCall = { api, method: 'GET', segments: ['dags'], query: { limit: '1' } };
  const { name, result } = await link.client.call(call, link.startLimit());
  const kind = KINDS[credentials.type];
  if (result.type === 'answer' && result.status === 200) {
    if (credentials.type !== 'none') return ok(`${kind} accepted`);
    return warn(
      'Airflow lets anybody in',
      'Protect Airflow, and set DAGAIN_AIRFLOW_USERNAME and DAGAIN_AIRFLOW_PASSWORD.',
    );
  }
  const outage = toUnavailable(name, result);
  // Airflow 2 says 403 to a wrong password too.
  if (outage.reason === 'forbidden' && api === 'v1') {
    return fail(`${kind} refused, or allowed nothing: ${outage.detail}`, loginRemedy(credentials));
  }
  if (outage.reason === 'forbidden') return ok(`${kind} accepted`);
  return fail(`${kind}: ${outage.detail}`, remedyFor(outage, credentials));
}

const KINDS: Readonly<Record<Credentials['type'], string>> = {
  password: 'user and password',
  client: 'client of Keycloak',
  oauth: 'client of the identity provider',
  google: "Google's credentials",
  mwaa: 'IAM credentials for MWAA',
  token: 'token',
  none: 'no credentials',
};

function readable({ name, result }: ApiResult, what: string, credentials: Credentials): Finding {
  if (result.type === 'answer' && result.status === 200) return ok('allowed');
  return notAllowed(toUnavailable(name, result), credentials, what);
}

/** Where our name is known, the log is asked as the service asks it when its state is lost. */
async function probeAuditLog(link: AirflowLink, options: AirflowOptions, version: AirflowVersion): Promise<Finding> {
  const { ourName } = link;
  const { clock, credentials } = options;
  const asked =
    ourName === null
      ? await readLog(link, version)
      : await readOwnClears({ ...link, clock, ourName }, clock.nowMs() - RECENT_MS, link.startLimit());
  if (asked.type === 'unavailable') {
    const refused = notAllowed(asked, credentials, 'audit log');
    if (refused.result !== 'fail') return refused;
    return warn(refused.found, `${refused.remedy} Without it, lost state ends retries rather than being rebuilt.`);
  }
  if (ourName !== null) return ok(`allowed; our clears are those of "${ourName}"`);
  return warn(
    'allowed, but it is not known by which name it calls us',
    'Set DAGAIN_AIRFLOW_AUDIT_USER to the owner that the audit log shows for requests with these credentials.',
  );
}

async function readLog(link: AirflowLink, { api }: AirflowVersion): Promise<{ type: 'found' } | Unavailable> {
  const call: ApiCall = { api, method: 'GET', segments: ['eventLogs'], query: { limit: '1' } };
  const { name, result } = await link.client.call(call, link.startLimit());
  return result.type === 'answer' && result.status === 200 ? { type: 'found' } : toUnavailable(name, result);
}

async function probeClock(link: AirflowLink, { api }: AirflowVersion, clock: { nowMs(): number }): Promise<Finding> {
  const beganMs = clock.nowMs();
  const { name, result } = await askVersion(link.client, api, link.startLimit());
  const endedMs = clock.nowMs();
  if (result.type === 'failure' || result.dateMs === null) {
    return warn(`${name} did not tell the time`, 'Compare the clocks of both machines yourself.');
  }
  // What lies between the two moments cannot be told apart from skew, nor can the fraction that the header leaves out.
  const earlyMs = beganMs - (result.dateMs + 1_000);
  const lateMs = result.dateMs - endedMs;
  const skewMs = Math.max(0, earlyMs, lateMs);
  if (skewMs <= TOLERATED_SKEW_MS) return ok('agrees with ours');
  const direction = earlyMs > 0 ? 'behind' : 'ahead of';
  return warn(
    `${Math.round(skewMs / 1_000)} s ${direction} ours`,
    "Synchronise both machines' clocks (NTP): delays and logged times would be off by as much.",
  );
}
