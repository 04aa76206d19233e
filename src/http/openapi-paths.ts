import { operatorPaths } from './openapi-operator-paths.ts';
import { BODY_PROBLEMS, body, CALLBACK_SECURITY, json, problem } from './openapi-parts.ts';

function callback(operationId: string, summary: string, schema: string): object {
  return {
    post: {
      operationId,
      summary,
      tags: ['callbacks'],
      security: CALLBACK_SECURITY,
      requestBody: body(schema),
      responses: {
        202: json('Stored durably; what was decided.', 'CallbackAnswer'),
        400: problem('The body is invalid; `errors` names the fields.'),
        401: problem('No valid token or signature.'),
        403: problem('This is an operator token; or no token is set, and the Host is not known.'),
        409: problem('The webhook id was used for another body.'),
        503: problem('Nothing was stored; send the same request again.'),
        ...BODY_PROBLEMS,
      },
    },
  };
}

function open(operationId: string, summary: string, type: string): object {
  const responses = { 200: { description: summary, content: { [type]: {} } } };
  return { operationId, summary, tags: ['service'], security: [], responses };
}

/** The routes, by hand; a test holds them against those that are served. */
export const paths = {
  '/v1/callbacks/task-failed': callback('taskFailed', 'A task of a run has failed for good.', 'TaskFailedBody'),
  '/v1/callbacks/run-failed': callback('runFailed', 'A run has failed.', 'RunFailedBody'),
  '/v1/callbacks/run-succeeded': callback('runSucceeded', 'A run has succeeded.', 'RunSucceededBody'),
  ...operatorPaths,
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
