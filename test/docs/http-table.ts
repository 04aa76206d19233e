import { z } from 'zod';
import { openApiDocument } from '../../src/http/openapi.ts';

const Operation = z.object({
  summary: z.string(),
  parameters: z.array(z.object({ name: z.string(), in: z.string() })).optional(),
});
const Document = z.object({ paths: z.record(z.string(), z.record(z.string(), Operation)) });

/** Every route, from the OpenAPI document. */
export function httpTable(): string {
  const { paths } = Document.parse(openApiDocument(''));
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary, parameters = [] }]) => {
      const query = parameters.filter((one) => one.in === 'query').map(({ name }) => `${name}=`);
      const asked = query.length === 0 ? '' : `?${query.join('&')}`;
      return `| \`${method.toUpperCase()} ${path}${asked}\` | ${summary} |`;
    }),
  );
  return ['| route | for |', '|---|---|', ...rows].join('\n');
}
