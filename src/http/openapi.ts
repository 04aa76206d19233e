import { z } from 'zod';
import { PolicyLayer } from '../core/policy-layer.ts';
import { REASONS } from '../core/reason.ts';
import { Id } from '../core/run-key.ts';
import { sendJson } from './answer.ts';
import { BulkBody, BulkView } from './bulk.ts';
import { Override, RunFailedBody, RunSucceededBody, TaskFailedBody } from './callback-body.ts';
import { CallbackAnswer } from './callbacks.ts';
import { DagPage, PauseAnswer, PauseList } from './dags.ts';
import { EventView } from './event-view.ts';
import { EventPage } from './events.ts';
import { ExplainView } from './explain-view.ts';
import { AGE, DAG_PATTERN, ID } from './openapi-parts.ts';
import { paths } from './openapi-paths.ts';
import { GrantBody, OperationBody } from './operation-body.ts';
import { OperationView } from './operations.ts';
import { PauseView } from './pause-view.ts';
import { PolicyView } from './policy-view.ts';
import { PROBLEMS, type ProblemCode } from './problems.ts';
import type { Route } from './route.ts';
import { Age, DagPattern } from './run-filter.ts';
import { RunSummary, RunView } from './run-view.ts';
import { RunPage, RunSummaryPage } from './runs.ts';
import { StatsView } from './stats.ts';
import { StatusView } from './status.ts';

const PROBLEM_CODES = Object.keys(PROBLEMS).filter((code): code is ProblemCode => Object.hasOwn(PROBLEMS, code));

/** What every error is answered with. */
export const ProblemAnswer = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(PROBLEM_CODES).describe('Stable.'),
    detail: z.string(),
    errors: z.array(z.object({ field: z.string().describe('A dotted path.'), message: z.string() })).optional(),
    request_id: z.string().optional().describe("Also in the service's log."),
  })
  .describe('RFC 9457; sent as application/problem+json.');

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

/** By name; a test holds the examples against them. */
export const SCHEMAS = {
  TaskFailedBody,
  RunFailedBody,
  RunSucceededBody,
  CallbackAnswer,
  RunView,
  RunSummary,
  RunPage,
  RunSummaryPage,
  AnyRunPage: z.union([RunPage, RunSummaryPage]),
  ExplainView,
  OperationBody,
  GrantBody,
  OperationView,
  BulkBody,
  BulkView,
  PauseView,
  DagPage,
  PauseAnswer,
  PauseList,
  EventView,
  EventPage,
  StatsView,
  StatusView,
  ProblemAnswer,
  PolicyLayer,
  PolicyView,
  Reason: z.enum(REASONS).describe('A stable word for why something was decided.'),
};

/** Schemas whose rules are code, as JSON Schema. */
const BY_HAND = new Map<unknown, object>([
  [Id, ID],
  [DagPattern, DAG_PATTERN],
  [Age, AGE],
  [Override, { anyOf: [{ $ref: '#/components/schemas/PolicyLayer' }, { type: 'null' }] }],
]);

function componentSchemas(): object {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
    override({ zodSchema, jsonSchema }) {
      Object.assign(jsonSchema, BY_HAND.get(zodSchema));
      nameProperties(jsonSchema);
    },
  });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutOwnAddress(schema)]));
}

/** A record whose keys are known is an object with these properties: few tools understand `propertyNames`. */
function nameProperties(schema: z.core.JSONSchema.BaseSchema): void {
  const { propertyNames, additionalProperties: value } = schema;
  if (typeof propertyNames !== 'object' || propertyNames.enum === undefined || value === undefined) return;
  schema.properties = Object.fromEntries(propertyNames.enum.map((name) => [String(name), value]));
  schema.additionalProperties = false;
  delete schema.propertyNames;
}

/** Inside a document a schema's place is its address; one of its own would change what its references mean. */
function withoutOwnAddress(schema: object): object {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$id' && key !== '$schema'));
}
