import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '@keyv/redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RedisServer, type RedisServerOptions, startRedis } from '../support/redis-server.ts';
import { startSentinel } from './sentinel.ts';
import { expectRefusals, type Stage, setStage } from './stage.ts';
import { startToxiproxy, type Toxiproxy } from './toxiproxy.ts';
import { until } from './until.ts';

const FAULT_MS = 3_000;
/** Built in. */
const MAX_RETRIES = 2;
/** Of a run that Airflow does not know; each of another one, since nothing is written for what is known already. */
const callback = () => ({ dag_id: 'unheard_of', dag_run_id: randomUUID(), task_id: 't' });

let toxiproxy: Toxiproxy;
beforeAll(async () => {
  toxiproxy = await startToxiproxy();
});
afterAll(() => toxiproxy?.stop());

/** Sends commands past the service, as an administrator does. */
async function command(port: number, ...words: string[]): Promise<unknown> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` }).on('error', () => {});
  await client.connect();
  try {
    return await client.sendCommand(words);
  } finally {
    client.destroy();
  }
}

interface Fault {
  readonly name: string;
  readonly options: RedisServerOptions;
  readonly begin: (redis: RedisServer) => unknown;
  readonly end: (redis: RedisServer) => unknown;
}

const AOF = (fsync: string): RedisServerOptions => ({ appendonly: true, args: ['--appendfsync', fsync] });

const FAULTS: readonly Fault[] = [
  {
    name: 'killed, with appendfsync always',
    options: AOF('always'),
    begin: (redis) => redis.kill(),
    end: (redis) => redis.restart(),
  },
  {
    name: 'killed, with appendfsync everysec',
    options: AOF('everysec'),
    begin: (redis) => redis.kill(),
    end: (redis) => redis.restart(),
  },
  { name: 'frozen', options: {}, begin: (redis) => redis.freeze(), end: (redis) => redis.thaw() },
  {
    name: 'out of memory',
    options: {},
    begin: ({ port }) => command(port, 'CONFIG', 'SET', 'maxmemory', '1'),
    end: ({ port }) => command(port, 'CONFIG', 'SET', 'maxmemory', '0'),
  },
  {
    name: 'turned into a read-only replica',
    options: {},
    begin: ({ port }) => command(port, 'REPLICAOF', '127.0.0.1', '1'),
    end: ({ port }) => command(port, 'REPLICAOF', 'NO', 'ONE'),
  },
];

describe('Redis is', () => {
  test.concurrent.each(FAULTS)(
    '$name: nothing is taken in that is not kept, and every run ends right',
    async (fault) => {
      const redis = await startRedis(fault.options);
      const stage = await setStage({ settings: { DAGAIN_REDIS_URL: redis.url } });
      try {
        await stage.start();
        stage.trigger('before');
        await pause(300);
        await fault.begin(redis);
        stage.trigger('during');
        await pause(FAULT_MS);
        await stage.untilRefused();
        await fault.end(redis);
        await stage.endsWell();
        expectRefusals(stage);
      } finally {
        await stage.close();
        await redis.stop();
      }
    },
  );
});

/** Lets much time pass, and checks that no run was cleared more often than its retries allow, or while it ran. */
async function expectNoClearTooMany({ model, passTime }: Stage): Promise<void> {
  for (let steps = 0; steps < 10; steps += 1) {
    await pause(700);
    passTime();
  }
  for (const run of model.runs()) {
    const clears = model.clearsOf(run);
    expect(clears.length, run.dagId).toBeLessThanOrEqual(MAX_RETRIES);
    for (const clear of clears) expect(clear).toMatchObject({ stateBefore: 'failed', restartedRunning: false });
  }
}

const clearsIn = ({ model }: Stage) => model.runs().reduce((sum, run) => sum + model.clearsOf(run).length, 0);

describe('what Redis forgets costs retries, and never adds one', () => {
  test.concurrent.each([1, 2, 3])('killed %i times without persistence, each time after a clear', async (times) => {
    const redis = await startRedis();
    const stage = await setStage({ settings: { DAGAIN_REDIS_URL: redis.url } });
    try {
      await stage.start();
      stage.trigger('before');
      for (let n = 1; n <= times; n += 1) {
        await until(
          () => clearsIn(stage),
          (clears) => clears >= Math.min(n, 2),
        );
        await redis.restart();
      }
      await expectNoClearTooMany(stage);
    } finally {
      await stage.close();
      await redis.stop();
    }
  });

  test.concurrent('a replica takes over that has missed everything', async () => {
    const { primary, replica, between, address, stage, close } = await replicated();
    try {
      await between.poison([{ type: 'timeout', attributes: { timeout: 0 } }]);
      await stage.start();
      stage.trigger('before');
      await until(
        () => clearsIn(stage),
        (clears) => clears > 0,
      );
      await primary.kill();
      await command(replica.port, 'REPLICAOF', 'NO', 'ONE');
      await address.leadTo(replica.port);
      await expectNoClearTooMany(stage);
    } finally {
      await close();
    }
  });
});

/** A primary and its replica behind one address, and a way between them. */
async function replicated(args: readonly string[] = []) {
  const primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0', ...args] });
  const between = await toxiproxy.open(primary.port);
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(between.port)] });
  await until(
    () => command(primary.port, 'INFO', 'replication'),
    (info) => /state=online/.test(String(info)),
  );
  const address = await toxiproxy.open(primary.port);
  const stage = await setStage({ settings: { DAGAIN_REDIS_URL: `redis://127.0.0.1:${address.port}` } });
  const close = async () => {
    await stage.close();
    await Promise.all([primary.stop(), replica.stop()]);
  };
  return { primary, replica, between, address, stage, close };
}

describe('a failover behind one address', () => {
  test.concurrent('by Sentinel, the replica up to date: every run ends right', async () => {
    const { primary, address, stage, close } = await replicated();
    const sentinel = await startSentinel(primary.port);
    try {
      await stage.start();
      stage.trigger('before');
      await pause(300);
      await primary.kill();
      stage.trigger('during');
      const promoted = await sentinel.promoted();
      await address.leadTo(promoted);
      await stage.endsWell();
    } finally {
      await sentinel.stop();
      await close();
    }
  });

  test.concurrent('the replica behind, with min-replicas-to-write: nothing is taken in that only one of them has', async () => {
    const { primary, replica, between, address, stage, close } = await replicated([
      '--min-replicas-to-write',
      '1',
      '--min-replicas-max-lag',
      '1',
    ]);
    try {
      await stage.start();
      await between.poison([{ type: 'timeout', attributes: { timeout: 0 } }]);
      // The primary has noticed that nobody follows.
      await until(
        () => stage.send(callback()),
        ({ status }) => status === 503,
      );
      stage.trigger('during');
      await pause(FAULT_MS);
      await primary.kill();
      await command(replica.port, 'REPLICAOF', 'NO', 'ONE');
      await address.leadTo(replica.port);
      await stage.endsWell();
    } finally {
      await close();
    }
  });
});
