import { describe, expect, test } from 'vitest';
import { underPrefix } from '../../src/http/path-prefix.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { createFakeLog } from './serve.ts';

describe('a service whose public URL has a path', () => {
  async function seen(publicUrl: string | null, path: string) {
    const paths: string[] = [];
    const app = underPrefix((request, response) => {
      paths.push(request.url ?? '');
      response.end();
    }, publicUrl);
    const server = createHttpServer({ app, host: '127.0.0.1', port: 0, log: createFakeLog() });
    const { port } = await server.listen();
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual' });
    await server.close();
    return { paths, status: answer.status, location: answer.headers.get('location') };
  }

  test.each([
    [null, '/dagain/v1/runs', '/dagain/v1/runs'],
    ['https://host', '/v1/runs', '/v1/runs'],
    ['https://host/', '/v1/runs', '/v1/runs'],
    ['https://host/dagain', '/dagain/v1/runs?a=b', '/v1/runs?a=b'],
    ['https://host/dagain/', '/dagain/', '/'],
    ['https://host/dagain', '/v1/runs', '/v1/runs'],
    ['https://host/dagain', '/dagainst/v1', '/dagainst/v1'],
    ['https://host/a/b', '/a/b/runs/x/y%2Fz', '/runs/x/y%2Fz'],
  ])('%s: %s is taken for %s', async (publicUrl, path, taken) => {
    expect((await seen(publicUrl, path)).paths).toEqual([taken]);
  });

  test('without the slash at its end leads to the one with it, query and all', async () => {
    const { status, location, paths } = await seen('https://host/dagain', '/dagain?x=1');
    expect({ status, location, paths }).toEqual({ status: 308, location: '/dagain/?x=1', paths: [] });
  });
});
