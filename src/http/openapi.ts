import { sendJson } from './answer.ts';
import { paths } from './openapi-paths.ts';
import { componentSchemas } from './openapi-schemas.ts';
import type { Route } from './route.ts';

/** The interface as an OpenAPI 3.1 document; schemas come from what requests are really checked by. */
export function openApiDocument(version: string): object {
  return {
    openapi: '3.1.1',
    info: {
      title: 'dagain',
      version,
      description: 'Retries whole Dag runs of Apache Airflow: counts, waits, clears once per attempt, and alerts.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This service.' }],
    paths,
    components: { schemas: componentSchemas(), securitySchemes: SECURITY_SCHEMES },
  };
}

export function openApiRoute(version: string): Route {
  const document = openApiDocument(version);
  return {
    method: 'get',
    path: '/openapi.json',
    access: 'open',
    handle: (_request, response) => sendJson(response, 200, document),
  };
}

const SECURITY_SCHEMES = {
  callbackToken: { type: 'http', scheme: 'bearer', description: 'DAGAIN_CALLBACK_TOKEN' },
  operatorToken: { type: 'http', scheme: 'bearer', description: 'DAGAIN_OPERATOR_TOKEN' },
  webhookSignature: {
    type: 'apiKey',
    in: 'header',
    name: 'webhook-signature',
    description:
      'Standard Webhooks 1.0 (https://www.standardwebhooks.com) under DAGAIN_WEBHOOK_SECRET, with webhook-id and webhook-timestamp.',
  },
};
