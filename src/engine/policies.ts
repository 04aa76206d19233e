import { matchesGlob } from '../core/glob.ts';
import { PolicyLayer, type PolicyLimits } from '../core/policy-layer.ts';
import { type NamedLayer, type ResolvedPolicy, resolvePolicy } from '../core/resolve-policy.ts';
import type { Timing } from '../core/rules.ts';
import type { DagTags, TagLayer } from './dag-tags.ts';
import type { PolicySource } from './policy-source.ts';

/** The layers that do not depend on a run; replaced as a whole when the policy file changes. */
export interface PolicyDocument {
  readonly environment: PolicyLayer;
  readonly file: {
    readonly defaults: PolicyLayer;
    readonly dags: readonly (PolicyLayer & { readonly match: string })[];
    readonly limits: PolicyLimits;
  };
}

export interface PoliciesDeps {
  /** The document in force at this moment: the same object until it changes. */
  readonly current: () => PolicyDocument;
  readonly timing: Timing;
  readonly alertChannels: readonly string[];
  readonly tags: DagTags;
  /** Shadow mode: clears are only rehearsed. */
  readonly isShadow?: boolean;
}

type Override = Readonly<Record<string, unknown>> | null;

interface Remembered {
  readonly document: PolicyDocument;
  readonly tagged: TagLayer | null;
  readonly policy: ResolvedPolicy;
}

const CALLBACK = 'callback';
const MAX_REMEMBERED = 10_000;

/** Lays the layers over each other: environment, file defaults, first matching entry, Dag tags, callback; then limits. */
export function createPolicies({ current, timing, alertChannels, tags, isShadow = false }: PoliciesDeps): PolicySource {
  const resolved = new Map<string, Remembered>();

  /** Resolving costs more than all else that a callback needs, and hardly ever gives something new. */
  function resolve(dagId: string, override: Override): ResolvedPolicy {
    if (override !== null) return resolveAnew(dagId, override);
    const document = current();
    const tagged = tags.remembered(dagId);
    const known = resolved.get(dagId);
    if (known?.document === document && known.tagged === tagged) return known.policy;
    if (resolved.size >= MAX_REMEMBERED) resolved.clear();
    const policy = resolveAnew(dagId, null);
    resolved.set(dagId, { document, tagged, policy });
    return policy;
  }

  function resolveAnew(dagId: string, override: Override): ResolvedPolicy {
    const { environment, file } = current();
    const layers: NamedLayer[] = [
      { source: 'environment', layer: environment },
      { source: 'policy file, defaults', layer: file.defaults },
    ];
    const index = file.dags.findIndex((entry) => matchesGlob(entry.match, dagId));
    const entry = file.dags[index];
    if (entry !== undefined) {
      const { match, ...layer } = entry;
      layers.push({ source: `policy file, dags[${index}] (${match})`, layer });
    }
    const tagged = tags.remembered(dagId);
    if (tagged !== null) layers.push({ source: 'Dag tags', layer: tagged.layer });
    // Validated when it came in; one that an older version stored and this one does not know is left out.
    const parsed = override === null ? null : PolicyLayer.safeParse(override);
    if (parsed?.success) layers.push({ source: CALLBACK, layer: parsed.data });
    return resolvePolicy(layers, file.limits, alertChannels);
  }

  return {
    async rulesFor(dagId, override) {
      // Old tags may have been changed since: a Dag that was off must be asked again before its failure is dropped.
      const isProvisional = !tags.isFresh(dagId);
      const { policy, clamped } = resolve(dagId, override);
      const isOverrideClamped = clamped.some(({ source }) => source === CALLBACK);
      return { policy, timing, isProvisional, isOverrideClamped, pause: null, isShadow };
    },
    refresh: (dagId) => tags.refresh(dagId),
    async explain(dagId, override = null) {
      await tags.refresh(dagId);
      const tagged = tags.remembered(dagId);
      return { ...resolve(dagId, override), tagsKnown: tagged?.isRead ?? false, tagProblems: tagged?.problems ?? [] };
    },
  };
}
