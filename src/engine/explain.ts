import { judge } from '../core/judgement.ts';
import type { RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import { unreported } from '../core/transition/unreported.ts';
import type { ExplainVerdict } from '../core/verdict.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import { ofLatestAttempt } from './evidence.ts';
import type { Facts, StoredFacts, Unreported } from './explain/facts.ts';
import { explainRecorded } from './explain/recorded.ts';
import { explainUnrecorded } from './explain/unrecorded.ts';
import { oneLine } from './explain/words.ts';
import type { Log } from './log.ts';
import { codeOf, runFields } from './log-fields.ts';
import type { Pauses } from './pauses.ts';
import type { PolicySource } from './policy-source.ts';
import type { SearchSettings } from './search.ts';

/** Where a run stands and why, for a person. Texts are plain sentences. */
export interface Explanation {
  readonly verdict: ExplainVerdict;
  readonly summary: string;
  readonly because: readonly string[];
  readonly advice: readonly string[];
  readonly facts: Facts;
}

/** Explains any run, also one that was never reported. */
export interface Explainer {
  /** Never rejects for what is out of reach: it then says so, and what is known all the same. */
  explain(key: RunKey): Promise<Explanation>;
}

export interface ExplainerDeps {
  readonly store: Pick<RunStore, 'load' | 'readJournal'>;
  readonly orchestrator: Pick<Orchestrator, 'observe' | 'auditTrail' | 'failedTasks' | 'linkTo'>;
  readonly policies: Pick<PolicySource, 'explain' | 'rulesFor'>;
  readonly pauses: Pick<Pauses, 'ofDag'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
  readonly isShadow?: boolean;
  readonly search?: SearchSettings;
}

/** The journal's latest words on a run. */
const MAX_EVENTS = 50;

export function createExplainer(deps: ExplainerDeps): Explainer {
  const { store, orchestrator, policies, clock, log } = deps;

  /** What cannot be had is null; why stands in the log. */
  async function ifKnown<T>(what: string, key: RunKey, read: () => Promise<T>): Promise<T | null> {
    try {
      return await read();
    } catch (error) {
      const about = { attempt: null, decision: 'undecided', reason: codeOf(error) } as const;
      log.warn(runFields(key, about, { err: error }), `explained without ${what}`);
      return null;
    }
  }

  async function readStore(key: RunKey): Promise<StoredFacts> {
    const [loaded, page] = await Promise.all([
      ifKnown('the record', key, async () => ({ record: (await store.load(key))?.value ?? null })),
      ifKnown('the journal', key, () => store.readJournal({ before: null, limit: MAX_EVENTS, key })),
    ]);
    if (loaded === null) return { status: 'unavailable', record: null, events: page?.entries ?? [] };
    const { record } = loaded;
    return { status: record === null ? 'missing' : 'found', record, events: page?.entries ?? [] };
  }

  async function readPolicy(key: RunKey, record: RunRecord | null): Promise<Facts['policy']> {
    return await ifKnown('the policy', key, async () => {
      const explained = await policies.explain(key.dagId, record?.override ?? null);
      const judgement = record === null ? null : judge(explained.policy, record, clock.nowMs());
      return { explained, judgement, maxRetries: judgement?.maxRetries ?? explained.policy.maxRetries };
    });
  }

  /** What the policy says of a run that has failed without a word. */
  async function judgeSilent(key: RunKey, facts: Omit<Facts, 'unreported'>): Promise<Unreported | null> {
    const { observation, trail, stored } = facts;
    if (stored.status !== 'missing' || facts.policy === null) return null;
    if (observation.type !== 'found' || observation.state !== 'failed') return null;
    const { policy } = facts.policy.explained;
    const seen = await orchestrator.failedTasks(key);
    const tasks = seen.type === 'found' ? seen.tasks : [];
    const nowMs = clock.nowMs();
    const rules = await ifKnown('the rules', key, () => policies.rulesFor(key.dagId, null));
    if (rules === null) return null;
    const isLost =
      trail.type === 'found' && ofLatestAttempt(trail.entries).some(({ action }) => action === 'task_lost');
    const failureClass = isLost ? 'infra' : 'task_error';
    const failures = unreported({ earlierFailureIds: [] }, observation, tasks, rules, nowMs);
    const about = {
      failures: failures.map((failure) => ({ ...failure, failureClass }) as const),
      ...{ retriesUsed: 0, granted: 0, retriesUsedByClass: {}, runType: observation.runType },
      firstFailedAtMs: observation.fingerprint.endedAtMs ?? nowMs,
    };
    return { judgement: judge(policy, about, nowMs), failures: about.failures, areTasksKnown: seen.type === 'found' };
  }

  return {
    async explain(key) {
      const reading = readStore(key);
      // All at once: each of them may take as long as Airflow takes to time out.
      const [stored, policy, observation, trail, pauseOf] = await Promise.all([
        reading,
        reading.then(({ record }) => readPolicy(key, record)),
        orchestrator.observe(key),
        orchestrator.auditTrail(key),
        ifKnown('the pauses', key, () => deps.pauses.ofDag()),
      ]);
      const isShadow = deps.isShadow === true;
      const surroundings = {
        linkTo: (run: RunKey) => orchestrator.linkTo(run),
        pauseOf: pauseOf ?? (() => null),
        isShadow,
      };
      const known = {
        ...{ key, stored, observation, trail, surroundings, isShadow },
        pause: surroundings.pauseOf(key.dagId),
        policy,
        nowMs: clock.nowMs(),
        isWatching: deps.search !== undefined,
      };
      const facts: Facts = { ...known, unreported: await judgeSilent(key, known) };
      const said = stored.record === null ? explainUnrecorded(facts) : explainRecorded(stored.record, facts);
      const { verdict, summary, because, advice } = said;
      return {
        ...{ verdict, summary: oneLine(summary), because: because.map(oneLine), advice: advice.map(oneLine) },
        facts,
      };
    },
  };
}
