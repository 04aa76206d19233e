import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, test } from 'vitest';
import { openApiDocument } from '../../src/http/openapi.ts';

/** Redocly's strict rules: whatever they find is an error. */
const RULES = {
  extends: ['recommended-strict'],
  rules: {
    // What anybody may ask (probes, metrics, this document) takes nothing that could be wrong.
    'operation-4xx-response': 'off',
  },
} as const;

async function lint(document: object) {
  const config = await createConfig({ ...RULES, extends: [...RULES.extends] });
  const problems = await lintFromString({ source: JSON.stringify(document), config });
  return problems.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer}: ${message}`);
}

test('the OpenAPI document keeps all rules', async () => {
  expect(await lint(openApiDocument('1.2.3'))).toEqual([]);
});

test('a document that breaks them is found out', async () => {
  const bad = { ...openApiDocument('1.2.3'), servers: [], components: {} };
  const found = (await lint(bad)).join('\n');
  expect(found).toContain('no-empty-servers');
  expect(found).toContain('no-unresolved-refs');
});
