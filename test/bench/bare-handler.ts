import { createClient } from '@keyv/redis';
import express from 'express';

/**
 * The baseline: an Express handler that parses JSON and makes one Lua call, and does nothing else. It speaks through
 * the same Redis client as the service.
 */
const SWAP = `
local version = tonumber(redis.call('HGET', KEYS[1], 'v') or '0')
redis.call('HSET', KEYS[1], 'v', version + 1, 'r', ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], KEYS[1])
return version + 1
`;

const client = createClient({ url: process.argv[2] ?? '' });
await client.connect();
const sha = await client.scriptLoad(SWAP);

const app = express();
app.disable('x-powered-by').disable('etag');
app.post('/v1/callbacks/task-failed', express.json(), async (request, response) => {
  const { dag_id, dag_run_id } = request.body;
  const keys = [`{bare}:run:${dag_id}/${dag_run_id}`, '{bare}:due'];
  const version = await client.evalSha(sha, { keys, arguments: [JSON.stringify(request.body), String(Date.now())] });
  response.status(202).json({ decision: 'retry_scheduled', version });
});

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' && address !== null ? address.port : 0}\n`);
});
