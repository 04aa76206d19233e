/** A deliberate fault: what is replaced in which file under src. `search` must be there exactly once. */
export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
}

interface Patch {
  readonly file: string;
  readonly search: string;
  readonly replace: string;
}

function mutant(name: string, file: string, search: string, replace: string): Mutant {
  return { name, patches: [{ file, search, replace }] };
}

const CORE: readonly Mutant[] = [
  mutant(
    'a pending retry does not compare fingerprints',
    'core/transition/observed-waiting.ts',
    'if (sameFingerprint(record.fingerprint, seen.fingerprint)) {',
    'if (true) {',
  ),
  mutant(
    'a give-up deletes the record',
    'core/transition/alert-answered.ts',
    'isEnd(next.reason) ? null : entomb(next, rules, nowMs)',
    'null',
  ),
  {
    name: 'the retry is spent when the clear is answered',
    patches: [
      {
        file: 'core/transition/clear.ts',
        search: 'retriesUsed: record.retriesUsed + 1,',
        replace: 'retriesUsed: record.retriesUsed,',
      },
      {
        file: 'core/transition/clear.ts',
        search: 'return startWatching(record, {',
        replace: 'return startWatching({ ...record, retriesUsed: record.retriesUsed + 1 }, {',
      },
    ],
  },
  mutant(
    'evidence of the attempt is ignored',
    'core/transition/which-attempt.ts',
    'const { startedAtMs, clearNumber } = event.evidence;\n  if (namesAttempt(event)',
    'return false;\n  const { startedAtMs, clearNumber } = event.evidence;\n  if (namesAttempt(event)',
  ),
  mutant(
    'a callback that does not tell its attempt revives a given-up run',
    'core/transition/after-give-up.ts',
    'if (isLater === true) {',
    'if (isLater !== false) {',
  ),
  mutant(
    'an unknown clear is repeated whatever the look shows',
    'core/transition/observed-clearing.ts',
    "if (!isUntouched) return cleared(record, 'clear_confirmed_by_read', rules, nowMs);",
    '',
  ),
  mutant(
    'the outcome of a clear is not waited for',
    'core/transition/clear.ts',
    'dueAtMs: nowMs + sendWindowMs + clearOutcomeMs,',
    'dueAtMs: nowMs,',
  ),
  {
    name: 'what is read before the clear could end decides',
    patches: [
      {
        file: 'core/transition/observed.ts',
        search: "if (record.phase === 'clearing' && nowMs < record.dueAtMs)",
        replace: 'if (false)',
      },
      {
        file: 'engine/worker.ts',
        search: 'return dueAtMs !== null && dueAtMs <= clock.nowMs();',
        replace: "return record.phase === 'clearing' || (dueAtMs !== null && dueAtMs <= clock.nowMs());",
      },
    ],
  },
  {
    name: 'the due time is ignored',
    patches: [
      {
        file: 'core/transition/observed-waiting.ts',
        search: 'if (nowMs < record.retryAtMs) {',
        replace: 'if (false) {',
      },
      // Evidence is gathered only for a retry that is due, and none is spent without it.
      {
        file: 'core/evidence.ts',
        search: "return record.phase === 'waiting' && nowMs >= record.retryAtMs;",
        replace: "return record.phase === 'waiting';",
      },
    ],
  },
  mutant(
    'unsent alerts are dropped when the run ends well',
    'core/transition/end.ts',
    "if (ended.outbox.length === 0) return become(null, 'cleaned_up', reason);",
    "return become(null, 'cleaned_up', reason);",
  ),
  mutant('tombstones never expire', 'core/transition/observed.ts', 'nowMs >= record.expiresAtMs', 'false'),
  mutant(
    'an orchestrator that does not answer counts as a failed run',
    'core/transition/observed-waiting.ts',
    "if (seen.type === 'unavailable') return unavailable(record, seen.retryAfterMs, rules, nowMs);",
    "if (seen.type === 'unavailable') return clearWhenDue(record, { type: 'found', state: 'failed', fingerprint: record.fingerprint ?? { queuedAtMs: null, startedAtMs: 1, endedAtMs: null }, runType: null }, rules, nowMs);",
  ),
  mutant(
    'a run that cannot be read counts as deleted',
    'core/transition/observed.ts',
    "if (observation.type === 'missing') return",
    "if (observation.type !== 'found') return",
  ),
  mutant(
    'a success callback is believed unseen',
    'core/transition/success-reported.ts',
    "return become({ ...record, dueAtMs: nowMs }, 'cleaned_up', 'success_reported');",
    "return become(null, 'cleaned_up', 'success_reported');",
  ),
  mutant(
    'the cap allows one more',
    'core/judgement.ts',
    'facts.retriesUsed >= maxRetries',
    'facts.retriesUsed > maxRetries',
  ),
  mutant(
    'an operator can grant more than the limit',
    'core/judgement.ts',
    'return Math.min(policy.maxRetriesLimit, facts.retriesUsed + remaining);',
    'return facts.retriesUsed + remaining;',
  ),
  mutant(
    'max_duration is forgotten',
    'core/judgement.ts',
    'if (nowMs > facts.firstFailedAtMs + policy.maxDurationMs)',
    'if (false)',
  ),
  mutant(
    'the policy of the moment is not asked again before a clear',
    'core/transition/observed-waiting.ts',
    'if (!judgement.retry) return refuse(record, judgement, seen.fingerprint, rules, nowMs);',
    '',
  ),
  mutant(
    'what may never be retried is judged by the first failure only',
    'core/judgement.ts',
    'if (facts.failures.some((failure) => isNeverRetried(policy, failure)))',
    'if (facts.failures.slice(0, 1).some((failure) => isNeverRetried(policy, failure)))',
  ),
  mutant(
    'two counts of a run share the key of their alerts',
    'core/transition/outbox.ts',
    'record.firstFailedAtMs}',
    "'x'}",
  ),
  mutant(
    'a failure without a callback goes unnoticed',
    'core/transition/observed-watching.ts',
    "if (seen.state !== 'failed' ||",
    "if (seen.state !== 'failed' || record.failures.length === 0 ||",
  ),
  mutant(
    'a run that is given up unseen is not known again',
    'core/transition/observed-confirming.ts',
    "if (attemptStartedAtMs === null || countIs === 'lost') return null;",
    'return null;',
  ),
  {
    name: 'a held run is worked on',
    patches: [
      {
        file: 'core/record.ts',
        search: 'if (record.held === null) return record.dueAtMs;',
        replace: 'if (record.schema === 1) return record.dueAtMs;',
      },
      {
        file: 'core/transition/observed.ts',
        search: "if (record.held !== null) return unchanged(record, 'held', 'held_by_operator');",
        replace: '',
      },
      { file: 'core/evidence.ts', search: 'if (record.held !== null) return false;', replace: '' },
    ],
  },
  mutant(
    'a person who sets the run to failed is not heeded',
    'core/transition/steps.ts',
    'if (stop === undefined || stop.atMs <= takenUpAtMs) return null;',
    'if (stop !== null) return null;',
  ),
  mutant(
    'a clear is repeated whatever has been said since',
    'core/transition/clear.ts',
    'if (!judgement.retry) return refuse(current, judgement, record.fingerprint, rules, nowMs);',
    '',
  ),
];

const ENGINE: readonly Mutant[] = [
  mutant(
    'after a conflict a stale look is applied to what is there now',
    'engine/swap-loop.ts',
    'applyTo: (key, current, event) => applyOne(key, current, current?.version ?? 0, event),',
    'applyTo: async (key, current, event) => (await applyOne(key, current, current?.version ?? 0, event)) ?? lanes.add(formatRunKey(key), { key, event }),',
  ),
  mutant(
    'whoever loses the swap goes on all the same',
    'engine/swap-loop.ts',
    'return isDone ? applied : null;',
    'return applied;',
  ),
  mutant(
    'what the store refused to take counts as stored',
    'engine/swap-loop.ts',
    'const won = await store.compareAndSwap(key, version, next, entries);',
    'const won = await store.compareAndSwap(key, version, next, entries).catch(() => version + 1);',
  ),
  mutant(
    'the fence of the send window is not there',
    'engine/clear-sender.ts',
    'if (clock.nowMs() > record.sendByMs) {',
    'if (false) {',
  ),
  mutant(
    'a suspended process acts on an old look',
    'core/transition/observed.ts',
    'if (askedAtMs === undefined || nowMs - askedAtMs <= MAX_LOOK_MS) return observation;',
    'return observation;',
  ),
  mutant('leases are ignored', 'engine/worker.ts', 'free, settings.leaseMs)', 'free, 0)'),
  mutant(
    'a stopping process does not wait for its work',
    'engine/worker.ts',
    'await Promise.all([...inWork, ...announcing]);',
    '',
  ),
  mutant(
    'an alert counts as accepted once it was sent',
    'engine/announcer.ts',
    "const accepted = result.type === 'accepted';",
    'const accepted = true;',
  ),
  mutant('Dag tags are ignored', 'engine/policies.ts', 'if (tagged !== null) layers.push(', 'if (false) layers.push('),
  mutant(
    'what a callback asks for is forgotten after it',
    'engine/swap-loop.ts',
    'asked ?? before?.override ?? null',
    'asked',
  ),
];

const LOST_STATE: readonly Mutant[] = [
  mutant(
    'what the audit log shows is not counted',
    'core/evidence.ts',
    'const missed = ours.length - known;',
    'const missed = 0;',
  ),
  mutant(
    'clears of ours always pass for those of an earlier count',
    'core/evidence.ts',
    "if (count.countIs === 'unchecked' && isOfEarlierCount) return agrees;",
    "if (count.countIs === 'unchecked') return agrees;",
  ),
  mutant(
    'what we restarted is not looked for in the audit log',
    'engine/lost-runs.ts',
    'for (const clears of Map.groupBy(found.clears, ({ key }) => formatRunKey(key)).values()) {',
    'for (const clears of [] as (typeof found.clears)[]) {',
  ),
  mutant(
    'an emptied store is taken for one that knows all',
    'engine/memory.ts',
    'const isEmptied = begins === null || accounted === null;',
    'const isEmptied = false;',
  ),
  mutant(
    'a clear goes out without evidence',
    'core/transition/observed-waiting.ts',
    'const verdict = weigh(record, seen.fingerprint, evidence);',
    "const verdict = { type: 'agrees', logOffset: record.logOffset } as ReturnType<typeof weigh>;",
  ),
];

const ADAPTER: readonly Mutant[] = [
  mutant(
    'a clear is sent again when its connection breaks',
    'orchestrator/airflow/http.ts',
    "if (request.method !== 'GET' || !first.error.reset)",
    'if (!first.error.reset)',
  ),
  mutant(
    'a clear that was not answered in time counts as never sent',
    'orchestrator/airflow/network-error.ts',
    "return { reason: 'timed_out', sent: true, reset: false, detail: 'no whole answer within the time limit' };",
    "return { reason: 'timed_out', sent: false, reset: false, detail: 'no whole answer within the time limit' };",
  ),
  mutant(
    'any 404 means that the run is gone',
    'orchestrator/airflow/answers.ts',
    "if (!sentences.success) return 'unknown';",
    "if (!sentences.success) return 'run';",
  ),
];

export const MUTANTS: readonly Mutant[] = [...CORE, ...ENGINE, ...LOST_STATE, ...ADAPTER];
