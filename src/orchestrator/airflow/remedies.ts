import { type Finding, fail, warn } from '../../core/finding.ts';
import type { Unavailable } from './answers.ts';
import type { Credentials } from './auth.ts';

/** A call that was to be allowed and brought nothing; what a refused login does to all of them is said once. */
export function notAllowed(outage: Unavailable, credentials: Credentials, what: string): Finding {
  if (outage.reason === 'unauthorized') {
    return warn('not tried: Airflow does not let us in', 'Do first what is said about credentials.');
  }
  return fail(outage.detail, remedyFor(outage, credentials, what));
}

/** What somebody can do about a call that Airflow did not answer as it should; `what` was to be allowed. */
export function remedyFor({ reason }: Pick<Unavailable, 'reason'>, credentials: Credentials, what = 'this'): string {
  switch (reason) {
    case 'unreachable':
      return 'Check DAGAIN_AIRFLOW_URL, and that this machine reaches it (name, port, firewall, certificate).';
    case 'timed_out':
      return 'Check that this machine reaches Airflow, and that its API server is not overloaded.';
    case 'unauthorized':
      return loginRemedy(credentials);
    case 'forbidden':
      return PERMISSIONS[what] ?? 'Give the user a role with that permission.';
    case 'rate_limited':
      return 'Try again later; raise the limit that a proxy sets for this machine.';
    case 'server_error':
      return "Look into the log of Airflow's API server (or of the proxy before it).";
    case 'unexpected_answer':
      return 'Check that DAGAIN_AIRFLOW_URL is where Airflow itself answers, with its path prefix, and not a login page.';
  }
}

const PERMISSIONS: Readonly<Record<string, string>> = {
  'read Dags': 'Give the user "can read on DAGs" (Simple auth manager: viewer or more).',
  'read runs': 'Give the user "can read on DAG Runs" (Simple auth manager: viewer or more).',
  'audit log': 'Give the user "can read on Audit Logs" (Simple auth manager: viewer or more).',
  'clear runs': 'Give the user "can edit on DAG Runs" and on the Dags (Simple auth manager: user or more).',
};

/** What to do about a refused login, for each kind of credentials. */
export function loginRemedy({ type }: Credentials): string {
  switch (type) {
    case 'password':
      return 'Check DAGAIN_AIRFLOW_USERNAME and DAGAIN_AIRFLOW_PASSWORD; Airflow 2 also needs the basic_auth backend in api.auth_backends.';
    case 'client':
      return 'Check DAGAIN_AIRFLOW_CLIENT_ID and DAGAIN_AIRFLOW_CLIENT_SECRET; a client of another identity provider needs DAGAIN_OAUTH_TOKEN_URL.';
    case 'oauth':
      return 'Check DAGAIN_AIRFLOW_CLIENT_ID and DAGAIN_AIRFLOW_CLIENT_SECRET, DAGAIN_OAUTH_CLIENT_AUTH, and that Airflow takes tokens of this scope and audience.';
    case 'google':
      return 'Give this machine a service account, or set GOOGLE_APPLICATION_CREDENTIALS; add the account to Airflow as a user.';
    case 'mwaa':
      return 'Give this machine a role with airflow:CreateWebLoginToken on the environment; check DAGAIN_MWAA_ENVIRONMENT and DAGAIN_MWAA_REGION.';
    case 'token':
      return 'Replace the token in DAGAIN_AIRFLOW_TOKEN or its file: it may have expired.';
    case 'none':
      return 'Set DAGAIN_AIRFLOW_USERNAME and DAGAIN_AIRFLOW_PASSWORD, or another kind of credentials.';
  }
}
