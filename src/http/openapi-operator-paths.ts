import { JOURNAL_TYPES } from '../core/journal.ts';
import {
  AGE,
  BODY_PROBLEMS,
  body,
  DAG_PATTERN,
  FILTER,
  ID,
  idInPath,
  json,
  OPERATOR_PROBLEMS,
  OPERATOR_SECURITY,
  PAGING,
  problem,
  query,
  words,
} from './openapi-parts.ts';
import type { OPERATION_NAMES } from './operations.ts';
import { WINDOW_PATTERN } from './stats.ts';

interface Described {
  readonly id: string;
  readonly summary: string;
  readonly tag: string;
  readonly parameters?: readonly object[];
  readonly answers: Readonly<Record<number, object>>;
}

function get({ id, summary, tag, parameters = [], answers }: Described): object {
  return {
    operationId: id,
    summary,
    tags: [tag],
    security: OPERATOR_SECURITY,
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: { ...answers, ...OPERATOR_PROBLEMS },
  };
}

function post(schema: string, { answers, ...described }: Described): object {
  return { ...get({ ...described, answers: { ...answers, ...BODY_PROBLEMS } }), requestBody: body(schema) };
}

const RUN = [idInPath('dag_id'), idInPath('dag_run_id')];
const NOT_KEPT = problem('Nothing is kept of this run (`run_not_found`).');

const OPERATIONS: Readonly<Record<(typeof OPERATION_NAMES)[number], string>> = {
  pause: 'Does nothing more for the run until it is resumed; alerts still go out.',
  resume: 'Goes on with a run that was paused.',
  cancel: 'Gives the pending retries up, without an alert.',
  'retry-now': 'Ends the delay of the pending retry, which counts like any other.',
  reset: 'Forgets the run: its count and its tombstone.',
  grant: 'Allows more retries than the policy; takes a run that was given up up again.',
};

function operation([name, summary]: [string, string]): [string, object] {
  const described = {
    id: `run-${name}`,
    summary,
    tag: 'runs',
    parameters: RUN,
    answers: {
      200: json('Done.', 'OperationView'),
      404: NOT_KEPT,
      409: problem('Not possible in this phase (`operation_not_possible`).'),
    },
  };
  const path = `/v1/runs/{dag_id}/{dag_run_id}/${name}`;
  return [path, { post: post(name === 'grant' ? 'GrantBody' : 'OperationBody', described) }];
}

const pausing = (id: string, summary: string, parameters: readonly object[] = []) => ({
  post: post('OperationBody', {
    ...{ id, summary, tag: 'dags', parameters },
    answers: { 200: json('Done, or so already.', 'PauseAnswer') },
  }),
});

const runs = {
  '/v1/runs': {
    get: get({
      id: 'listRuns',
      summary: 'Runs that are being retried or were given up, ordered by their ids.',
      tag: 'runs',
      parameters: [
        ...FILTER,
        query('view', { type: 'string', enum: ['full', 'summary'], default: 'full' }, '`summary`: without timelines.'),
        ...PAGING,
      ],
      answers: { 200: json('A page of runs; with `view=summary` of `RunSummary`.', 'AnyRunPage') },
    }),
  },
  '/v1/runs/bulk': {
    post: post('BulkBody', {
      id: 'runs-bulk',
      summary: 'One action on all runs that a filter leaves in, or its preview; one call at a time, the others wait.',
      tag: 'runs',
      answers: {
        200: json('What was done, or with `dry_run` what would be.', 'BulkView'),
        409: problem('More runs match than `max_runs`; nothing was done (`more_runs_than_expected`).'),
        429: problem('Enough other calls wait already; nothing was done (`too_many_bulk_calls`).'),
      },
    }),
  },
  '/v1/runs/{dag_id}/{dag_run_id}': {
    get: get({
      ...{ id: 'showRun', summary: 'One run.', tag: 'runs', parameters: RUN },
      answers: { 200: json('The run.', 'RunView'), 404: NOT_KEPT },
    }),
  },
  '/v1/runs/{dag_id}/{dag_run_id}/explain': {
    get: get({
      ...{ id: 'explainRun', summary: 'Why a run is, or is not, retried; of any run.', tag: 'runs', parameters: RUN },
      answers: { 200: json('What is known, and from whom.', 'ExplainView') },
    }),
  },
  ...Object.fromEntries(Object.entries(OPERATIONS).map(operation)),
};

const dags = {
  '/v1/dags': {
    get: get({
      ...{ id: 'listDags', summary: 'Dags that have runs here, and paused ones.', tag: 'dags', parameters: PAGING },
      answers: { 200: json('A page of Dags, ordered by their ids.', 'DagPage') },
    }),
  },
  '/v1/dags/{dag_id}/pause': pausing('pauseDag', 'Sends no clear for the Dag until it is resumed.', [
    idInPath('dag_id'),
  ]),
  '/v1/dags/{dag_id}/resume': pausing('resumeDag', 'Goes on with a Dag.', [idInPath('dag_id')]),
  '/v1/pause': pausing('pauseEverything', 'Sends no clear at all until everything is resumed.'),
  '/v1/resume': pausing('resumeEverything', 'Goes on with everything; Dags that were paused by name stay so.'),
  '/v1/pauses': {
    get: get({
      ...{ id: 'listPauses', summary: 'What is paused now.', tag: 'dags' },
      answers: { 200: json('All of it.', 'PauseList') },
    }),
  },
};

const STREAM_EXAMPLE = 'event: changed\ndata: {"runs":[{"dag_id":"etl_daily","dag_run_id":"manual__1"}]}\n\n';

const events = {
  '/v1/events': {
    get: get({
      id: 'listEvents',
      summary: 'What happened, and what people did (`type=operated`), newest first.',
      tag: 'events',
      parameters: [
        words('type', JOURNAL_TYPES, 'One type or several.'),
        query('dag_id', DAG_PATTERN, 'Exact, or a glob where it holds `*` or `?`.'),
        query('dag_run_id', ID, 'Exact.'),
        query('actor', { type: 'string', minLength: 1, maxLength: 200 }, 'Who acted.'),
        query('since', { anyOf: [{ type: 'string', format: 'date-time' }, AGE] }, 'A time, or how long ago: `24h`.'),
        ...PAGING,
      ],
      answers: { 200: json('A page of events.', 'EventPage') },
    }),
  },
  '/v1/events/stream': {
    get: get({
      id: 'streamEvents',
      summary: 'Server-sent events: `hello`, then `changed` with the runs that have changed (null: many).',
      tag: 'events',
      answers: {
        200: {
          description: 'Stays open.',
          content: { 'text/event-stream': { schema: { type: 'string' }, example: STREAM_EXAMPLE } },
        },
        429: problem('As many streams are open as are served (`too_many_streams`).'),
      },
    }),
  },
  '/v1/stats': {
    get: get({
      id: 'showStats',
      summary: 'How things stand, and what happened lately.',
      tag: 'events',
      parameters: [
        query('window', { type: 'string', pattern: WINDOW_PATTERN.source, default: '24h' }, 'From `1h` to `30d`.'),
      ],
      answers: { 200: json('Counts.', 'StatsView') },
    }),
  },
};

/** What takes an operator's token. */
export const operatorPaths = {
  ...runs,
  ...dags,
  ...events,
  '/v1/policy': {
    get: get({
      id: 'explainPolicy',
      summary: 'The policy in force for a Dag, and where each value comes from.',
      tag: 'policy',
      parameters: [query('dag_id', ID, 'Which Dag.', true)],
      answers: { 200: json('The policy.', 'PolicyView') },
    }),
  },
  '/v1/status': {
    get: get({
      ...{ id: 'showStatus', summary: 'The service as a whole.', tag: 'service' },
      answers: { 200: json('Version, mode, store, orchestrator and pauses.', 'StatusView') },
    }),
  },
};
