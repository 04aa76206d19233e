import { matchesGlob } from '../../../src/core/glob.ts';
import { PolicyLayer } from '../../../src/core/policy-layer.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import { readTags } from '../../../src/core/tag-layer.ts';
import type { PolicyDocument } from '../../../src/engine/policies.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** Who may be cleared while running, whatever the document says at the moment: the frame is never reloaded. */
export function mayInterrupt({ frame }: Scenario, dagId: string): boolean {
  const entry = frame.dags.find(({ match }) => match === dagId);
  return entry?.gate === 'immediate' || frame.defaults.on_settle_timeout === 'clear';
}

/** The layers that are in force for a run, the strongest first; worked out apart from the code under test. */
export function layersFor(
  document: PolicyDocument,
  { dags }: Pick<Scenario, 'dags'>,
  dagId: string,
  override: RunRecord['override'],
): PolicyLayer[] {
  const { environment, file } = document;
  const tags = dags.find((dag) => dag.dagId === dagId)?.tags ?? [];
  const entry = file.dags.find(({ match }) => matchesGlob(match, dagId)) ?? {};
  return [PolicyLayer.parse(override ?? {}), readTags(tags).layer, entry, file.defaults, environment];
}

export interface Caps {
  readonly shared: number;
  readonly byClass: Readonly<Record<string, number>>;
  readonly limit: number;
}

const BUILT_IN_CAP = 2;
const BUILT_IN_LIMIT = 10;

/** What an operator has granted comes on top of each cap, but not of the limit. */
export function capsOf(layers: readonly PolicyLayer[], document: PolicyDocument, granted: number): Caps {
  const limit = document.file.limits.max_retries ?? BUILT_IN_LIMIT;
  const shared = layers.find((layer) => layer.max_retries !== undefined)?.max_retries ?? BUILT_IN_CAP;
  const byClass = layers.find((layer) => layer.max_retries_by_class !== undefined)?.max_retries_by_class ?? {};
  const withGrant = Object.entries(byClass).map(([name, cap]) => [name, cap + granted]);
  return { shared: shared + granted, byClass: Object.fromEntries(withGrant), limit };
}

type Used = RunRecord['retriesUsedByClass'];

/**
 * Says which cap the retry exceeds that turned `before` into `after`, or null if it exceeds none. What was spent from
 * another budget under an earlier policy does not matter.
 */
export function exceededCap({ shared, byClass, limit }: Caps, before: Used, after: Used): string | null {
  const counts = Object.entries(after);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  if (total > limit) return `${total} retries, the limit is ${limit}`;
  const spent = counts.find(
    ([name, count]) => count > (Object.entries(before).find(([one]) => one === name)?.[1] ?? 0),
  );
  const [spentName, spentCount] = spent ?? ['', 0];
  const ownCap = byClass[spentName];
  if (ownCap !== undefined) return spentCount > ownCap ? `${spentCount} for ${spentName}, its cap is ${ownCap}` : null;
  const fromShared = counts.reduce((sum, [name, count]) => (byClass[name] === undefined ? sum + count : sum), 0);
  return fromShared > shared ? `${fromShared} retries, the cap is ${shared}` : null;
}
