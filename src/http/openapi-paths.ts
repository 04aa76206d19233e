import { PHASES } from '../core/record.ts';
import type { OPERATION_PATHS } from './operations.ts';

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemAnswer' } } },
});

const json = (description: string, schema: string) => ({
  description,
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
});

const CALLBACK_SECURITY = [{ callbackToken: [] }, { webhookSignature: [] }];
const OPERATOR_SECURITY = [{ operatorToken: [] }];

const OPERATOR_PROBLEMS = {
  400: problem('A parameter is invalid; `errors` names it.'),
  401: problem('No valid operator token.'),
  403: problem('This is a callback token.'),
  503: problem('The store cannot be reached.'),
};

function callback(operationId: string, summary: string, body: string): object {
  return {
    post: {
      operationId,
      summary,
      tags: ['callbacks'],
      security: CALLBACK_SECURITY,
      requestBody: {
        required: true,
        content: { 'application/json': { schema: { $ref: `#/components/schemas/${body}` } } },
      },
      responses: {
        202: json('Stored durably; what was decided.', 'CallbackAnswer'),
        400: problem('The body is invalid; `errors` names the fields.'),
        401: problem('No valid token or signature.'),
        403: problem('This is an operator token.'),
        409: problem('The webhook id was used for another body.'),
        413: problem('The body has more than 256 KiB.'),
        415: problem('The body is not plain JSON in UTF-8.'),
        503: problem('Nothing was stored; send the same request again.'),
      },
    },
  };
}

const OPERATIONS = {
  pause: 'Does nothing more for the run until it is resumed; alerts still go out.',
  resume: 'Goes on with a run that was paused.',
  cancel: 'Gives the pending retries up, without an alert.',
  'retry-now': 'Ends the delay of the pending retry, which counts like any other.',
  reset: 'Forgets the run: its count and its tombstone.',
  grant: 'Allows more retries than the policy; takes a run that was given up up again.',
} as const satisfies Record<keyof typeof OPERATION_PATHS, string>;

function operation([name, summary]: [string, string]): [string, object] {
  const body = name === 'grant' ? 'GrantBody' : 'OperationBody';
  const post = {
    operationId: `run-${name}`,
    summary,
    tags: ['runs'],
    security: OPERATOR_SECURITY,
    parameters: [idParameter('dag_id', 'path'), idParameter('dag_run_id', 'path')],
    requestBody: {
      required: true,
      content: { 'application/json': { schema: { $ref: `#/components/schemas/${body}` } } },
    },
    responses: {
      200: json('Done.', 'OperationView'),
      404: problem('Nothing is kept of this run (`run_not_found`).'),
      409: problem('Not possible in this phase (`operation_not_possible`).'),
      413: problem('The body has more than 256 KiB.'),
      415: problem('The body is not plain JSON in UTF-8.'),
      ...OPERATOR_PROBLEMS,
    },
  };
  return [`/v1/runs/{dag_id}/{dag_run_id}/${name}`, { post }];
}

const idParameter = (name: string, place: 'path' | 'query') => ({
  name,
  in: place,
  required: place === 'path',
  schema: { type: 'string', minLength: 1, maxLength: 250 },
});

function open(operationId: string, summary: string, type: string): object {
  const responses = { 200: { description: summary, content: { [type]: {} } } };
  return { operationId, summary, tags: ['service'], security: [], responses };
}

/** The routes, by hand; a test holds them against those that are served. */
export const paths = {
  '/v1/callbacks/task-failed': callback('taskFailed', 'A task of a run has failed for good.', 'TaskFailedBody'),
  '/v1/callbacks/run-failed': callback('runFailed', 'A run has failed.', 'RunFailedBody'),
  '/v1/callbacks/run-succeeded': callback('runSucceeded', 'A run has succeeded.', 'RunSucceededBody'),
  '/v1/runs': {
    get: {
      operationId: 'listRuns',
      summary: 'Runs that are being retried or were given up, ordered by their ids.',
      tags: ['runs'],
      security: OPERATOR_SECURITY,
      parameters: [
        { name: 'phase', in: 'query', schema: { type: 'string', enum: PHASES } },
        idParameter('dag_id', 'query'),
        { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 500, default: 100 } },
        { name: 'cursor', in: 'query', schema: { type: 'string' }, description: '`next_cursor` of the page before.' },
      ],
      responses: { 200: json('A page of runs.', 'RunPage'), ...OPERATOR_PROBLEMS },
    },
  },
  '/v1/runs/{dag_id}/{dag_run_id}': {
    get: {
      operationId: 'showRun',
      summary: 'One run.',
      tags: ['runs'],
      security: OPERATOR_SECURITY,
      parameters: [idParameter('dag_id', 'path'), idParameter('dag_run_id', 'path')],
      responses: {
        200: json('The run.', 'RunView'),
        404: problem('Nothing is known of this run (`run_not_found`).'),
        ...OPERATOR_PROBLEMS,
      },
    },
  },
  ...Object.fromEntries(Object.entries(OPERATIONS).map(operation)),
  '/v1/policy': {
    get: {
      operationId: 'explainPolicy',
      summary: 'The policy in force for a Dag, and where each value comes from.',
      tags: ['policy'],
      security: OPERATOR_SECURITY,
      parameters: [{ ...idParameter('dag_id', 'query'), required: true }],
      responses: { 200: json('The policy.', 'PolicyView'), ...OPERATOR_PROBLEMS },
    },
  },
  '/livez': { get: open('live', 'The process serves.', 'application/json') },
  '/readyz': {
    get: {
      ...open('ready', 'The service can take callbacks; each check is shown.', 'application/json'),
      responses: {
        200: { description: 'Ready.', content: { 'application/json': {} } },
        503: { description: 'A required check fails, or the service is closing.', content: { 'application/json': {} } },
      },
    },
  },
  '/metrics': { get: open('metrics', 'Metrics in the text format of Prometheus.', 'text/plain') },
  '/openapi.json': { get: open('openapi', 'This document.', 'application/json') },
};
