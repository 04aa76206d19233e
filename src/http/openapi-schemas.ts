import { z } from 'zod';
import { Duration, MAX_DURATION_MS } from '../core/duration.ts';
import { PolicyLayer } from '../core/policy-layer.ts';
import { REASONS } from '../core/reason.ts';
import { Id } from '../core/run-key.ts';
import { BulkBody, BulkView } from './bulk.ts';
import { Override, RunFailedBody, RunSucceededBody, TaskFailedBody } from './callback-body.ts';
import { CallbackAnswer } from './callbacks.ts';
import { DagPage, PauseAnswer, PauseList } from './dags.ts';
import { EventView } from './event-view.ts';
import { EventPage } from './events.ts';
import { ExplainView } from './explain-view.ts';
import { ACTOR, DAG_PATTERN, ID } from './openapi-parts.ts';
import { Actor, GrantBody, OperationBody } from './operation-body.ts';
import { OPERATION_NAMES, OperationView } from './operations.ts';
import { PauseView } from './pause-view.ts';
import { PolicyView } from './policy-view.ts';
import { PROBLEMS, type ProblemCode } from './problems.ts';
import { DagPattern } from './run-filter.ts';
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

/** A number of seconds, or text with a unit. */
const DURATION = {
  anyOf: [
    { type: 'string', pattern: '^\\d{1,4}(\\.\\d{1,3})?(ms|s|m|h|d)?$' },
    { type: 'number', minimum: 0, maximum: MAX_DURATION_MS / 1_000 },
  ],
};

/** Schemas whose rules are code, as JSON Schema; by their definition, which a description does not change. */
const BY_HAND = new Map<unknown, object>([
  [Id._zod.def, ID],
  [DagPattern._zod.def, DAG_PATTERN],
  [Actor._zod.def, ACTOR],
  [Duration._zod.def, DURATION],
  [Override._zod.def, { anyOf: [{ $ref: '#/components/schemas/PolicyLayer' }, { type: 'null' }] }],
]);

const given = (name: string, other: string) => ({
  required: [name],
  properties: { [name]: { type: 'string' }, [other]: { type: 'null' } },
});
/** Both may be given, if they are the same; that cannot be said here. */
const ONE_RUN_ID = { anyOf: [given('dag_run_id', 'run_id'), given('run_id', 'dag_run_id')] };

const GIVEN_UP = {
  type: 'object',
  properties: { phase: { type: 'array', items: { enum: ['giving_up', 'gave_up'] } } },
  required: ['phase'],
};

/** What concerns several fields, which zod checks by code. */
const RELATIONS: Readonly<Record<string, object>> = {
  TaskFailedBody: ONE_RUN_ID,
  RunFailedBody: ONE_RUN_ID,
  RunSucceededBody: ONE_RUN_ID,
  BulkBody: {
    oneOf: [
      {
        properties: { action: { const: 'grant' }, filter: GIVEN_UP },
        required: ['action', 'retries'],
      },
      {
        properties: { action: { enum: OPERATION_NAMES.filter((name) => name !== 'grant') }, retries: false },
        required: ['action'],
      },
    ],
    anyOf: [{ required: ['max_runs'] }, { properties: { filter: { type: 'object', minProperties: 1 } } }],
  },
};

/** All of them, as JSON Schema. */
export function componentSchemas(): object {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
    override({ zodSchema, jsonSchema }) {
      Object.assign(jsonSchema, BY_HAND.get(zodSchema._zod.def));
      nameProperties(jsonSchema);
    },
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [id, { ...withoutOwnAddress(schema), ...RELATIONS[id] }]),
  );
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
