import { matchesGlob } from '../core/glob.ts';
import { PolicyLayer, type PolicyLimits } from '../core/policy-layer.ts';
import { type NamedLayer, type ResolvedPolicy, resolvePolicy } from '../core/resolve-policy.ts';
import type { Timing } from '../core/rules.ts';
import type { DagTags } from './dag-tags.ts';
import type { PolicySource } from './policy-source.ts';

/** The layers that do not depend on a run; replaced as a whole when the policy file changes. */
export interface PolicyDocument {
  readonly environment: PolicyLayer;
  readonly defaults: PolicyLayer;
  readonly dags: readonly (PolicyLayer & { readonly match: string })[];
  readonly limits: PolicyLimits;
}

export interface PoliciesDeps {
  /** The document in force at this moment. */
  readonly current: () => PolicyDocument;
  readonly timing: Timing;
  readonly alertChannels: readonly string[];
  readonly tags: DagTags;
}

/** Lays the layers over each other: environment, file defaults, first matching entry, Dag tags, callback; then limits. */
export function createPolicies({ current, timing, alertChannels, tags }: PoliciesDeps): PolicySource {
  function resolve(dagId: string, override: Readonly<Record<string, unknown>> | null): ResolvedPolicy {
    const document = current();
    const layers: NamedLayer[] = [
      { source: 'environment', layer: document.environment },
      { source: 'policy file, defaults', layer: document.defaults },
    ];
    const index = document.dags.findIndex((entry) => matchesGlob(entry.match, dagId));
    const entry = document.dags[index];
    if (entry !== undefined) {
      const { match, ...layer } = entry;
      layers.push({ source: `policy file, dags[${index}] (${match})`, layer });
    }
    const tagged = tags.remembered(dagId);
    if (tagged !== null) layers.push({ source: 'Dag tags', layer: tagged.layer });
    // Validated when it came in; one that an older version stored and this one does not know is left out.
    const parsed = override === null ? null : PolicyLayer.safeParse(override);
    if (parsed?.success) layers.push({ source: 'callback', layer: parsed.data });
    return resolvePolicy(layers, document.limits, alertChannels);
  }

  return {
    async rulesFor(dagId, override) {
      const isProvisional = tags.remembered(dagId) === null;
      return { policy: resolve(dagId, override).policy, timing, isProvisional };
    },
    refresh: (dagId) => tags.refresh(dagId),
    async explain(dagId) {
      await tags.refresh(dagId);
      const tagged = tags.remembered(dagId);
      return { ...resolve(dagId, null), tagsKnown: tagged !== null, tagProblems: tagged?.problems ?? [] };
    },
  };
}
