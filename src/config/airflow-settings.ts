import { z } from 'zod';
import { setting } from './setting.ts';
import { Flag, Url } from './setting-values.ts';

const text = z.string().min(1).optional();

/** Where Airflow is and how to log in; a kind of credentials is chosen by what is set. */
export const AIRFLOW_SETTINGS = {
  DAGAIN_AIRFLOW_URL: setting(
    Url(/^https?$/, 'http://airflow:8080').optional(),
    null,
    'Base URL of Airflow, with its path prefix if it has one. Required to serve.',
  ),
  DAGAIN_AIRFLOW_USERNAME: setting(text, null, 'User that clears runs.'),
  DAGAIN_AIRFLOW_PASSWORD: setting(text, null, "That user's password.", true),
  DAGAIN_AIRFLOW_TOKEN: setting(text, null, 'Static bearer token instead of user and password.'),
  DAGAIN_AIRFLOW_TOKEN_FILE: setting(
    text,
    null,
    'File that holds that token; read again for every use, so that it can be rotated.',
  ),
  DAGAIN_AIRFLOW_CLIENT_ID: setting(
    text,
    null,
    'OAuth 2 client instead of a user: of DAGAIN_OAUTH_TOKEN_URL, else of the Keycloak auth manager.',
  ),
  DAGAIN_AIRFLOW_CLIENT_SECRET: setting(text, null, "That client's secret.", true),
  DAGAIN_OAUTH_TOKEN_URL: setting(
    Url(/^https?$/, 'https://idp.example/oauth2/token').optional(),
    null,
    "Token endpoint of the identity provider before Airflow; unset: Airflow's own.",
  ),
  DAGAIN_OAUTH_CLIENT_AUTH: setting(
    z.enum(['basic', 'post'], { error: 'must be basic or post' }),
    'basic',
    'How the client shows its secret there: `basic` (header) or `post` (body).',
  ),
  DAGAIN_OAUTH_SCOPE: setting(text, null, 'Scope to ask for there, blank-separated.'),
  DAGAIN_OAUTH_AUDIENCE: setting(text, null, 'Audience to ask for there.'),
  DAGAIN_GOOGLE_AUTH: setting(
    Flag,
    'false',
    "Logs in to Cloud Composer with Google's application default credentials.",
  ),
  DAGAIN_MWAA_ENVIRONMENT: setting(
    z
      .string()
      .regex(/^[A-Za-z][0-9A-Za-z_-]{0,79}$/, 'must be the name of an environment: letters, digits, - and _')
      .optional(),
    null,
    'Amazon MWAA environment to log in to, with the IAM credentials that AWS finds by itself.',
  ),
  DAGAIN_MWAA_REGION: setting(
    z
      .string()
      .regex(/^[a-z]{2,}(-[a-z]+)+-\d+$/, 'must be a region such as eu-west-1')
      .optional(),
    null,
    'Its region.',
  ),
  DAGAIN_MWAA_ENDPOINT: setting(
    Url(/^https?$/, 'https://vpce-0123.env.airflow.eu-west-1.vpce.amazonaws.com').optional(),
    null,
    'Endpoint of AWS to ask instead of the public one of the region, such as that of a VPC.',
  ),
  DAGAIN_AIRFLOW_AUDIT_USER: setting(
    text,
    null,
    "Name under which Airflow's audit log knows us, where there is no user name (tokens, clouds).",
  ),
} as const;

type Name = keyof typeof AIRFLOW_SETTINGS;

const TOGETHER: readonly (readonly [Name, Name])[] = [
  ['DAGAIN_AIRFLOW_USERNAME', 'DAGAIN_AIRFLOW_PASSWORD'],
  ['DAGAIN_AIRFLOW_CLIENT_ID', 'DAGAIN_AIRFLOW_CLIENT_SECRET'],
  ['DAGAIN_MWAA_ENVIRONMENT', 'DAGAIN_MWAA_REGION'],
];

const USELESS_WITHOUT: readonly (readonly [Name, Name])[] = [
  ['DAGAIN_OAUTH_TOKEN_URL', 'DAGAIN_AIRFLOW_CLIENT_ID'],
  ['DAGAIN_OAUTH_CLIENT_AUTH', 'DAGAIN_OAUTH_TOKEN_URL'],
  ['DAGAIN_OAUTH_SCOPE', 'DAGAIN_OAUTH_TOKEN_URL'],
  ['DAGAIN_OAUTH_AUDIENCE', 'DAGAIN_OAUTH_TOKEN_URL'],
  ['DAGAIN_MWAA_ENDPOINT', 'DAGAIN_MWAA_ENVIRONMENT'],
];

/** What does not go together among them. */
export function airflowContradictions(isSet: (name: Name) => boolean, usesGoogle: boolean): string[] {
  const all: readonly Name[] = [
    'DAGAIN_AIRFLOW_TOKEN',
    'DAGAIN_AIRFLOW_TOKEN_FILE',
    'DAGAIN_AIRFLOW_USERNAME',
    'DAGAIN_AIRFLOW_CLIENT_ID',
    'DAGAIN_GOOGLE_AUTH',
    'DAGAIN_MWAA_ENVIRONMENT',
  ];
  const ways = all.filter((name) => (name === 'DAGAIN_GOOGLE_AUTH' ? usesGoogle : isSet(name)));
  const problems: string[] = [];
  if (ways.length > 1) problems.push(`${ways.join(' and ')} are set at the same time: keep one`);
  for (const [one, other] of TOGETHER) {
    if (isSet(one) !== isSet(other)) problems.push(`${one} and ${other} must be set together`);
  }
  for (const [one, needed] of USELESS_WITHOUT) {
    if (isSet(one) && !isSet(needed)) problems.push(`${one} does nothing without ${needed}: set both or neither`);
  }
  return problems;
}
