import { z } from 'zod';
import { isRefusal } from './errors.ts';
import type { Send } from './scripts.ts';

type Settings = ReadonlyMap<string, string>;

/** What an operator should know about this Redis, one sentence each. */
export async function setupWarnings(send: Send): Promise<readonly string[]> {
  const info = await orRefused(readInfo(send));
  const config = await orRefused(readConfig(send));
  const warnings = [...roleWarnings(info)];
  if (config !== null) {
    warnings.push(...evictionWarnings(config.get('maxmemory-policy'), config.get('maxmemory')));
    warnings.push(...persistenceWarnings(config));
  } else if (info !== null) {
    warnings.push(...evictionWarnings(info.get('maxmemory_policy'), info.get('maxmemory')));
    warnings.push(...persistenceFromInfo(info));
  }
  const missing = unchecked(info, config);
  return missing === null ? warnings : [...warnings, missing];
}

async function readConfig(send: Send): Promise<Settings> {
  const settings = new Map<string, string>();
  // Several patterns in one CONFIG GET need Redis 7.
  for (const pattern of ['maxmemory*', 'append*', 'save']) {
    const pairs = z.array(z.string()).parse(await send(['CONFIG', 'GET', pattern]));
    for (let at = 0; at + 1 < pairs.length; at += 2) settings.set(pairs[at] ?? '', pairs[at + 1] ?? '');
  }
  return settings;
}

async function readInfo(send: Send): Promise<Settings> {
  const text = z.string().parse(await send(['INFO']));
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

async function orRefused<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

function roleWarnings(info: Settings | null): string[] {
  if (info?.get('role') !== 'slave') return [];
  return ['Redis is a replica and cannot store anything: give the URL of the primary.'];
}

/** `volatile-*` policies only evict keys that expire, which no record does. */
function evictionWarnings(policy: string | undefined, maxMemory: string | undefined): string[] {
  if (!policy?.startsWith('allkeys-')) return [];
  const when = maxMemory === '0' ? 'would forget runs as soon as maxmemory is set' : 'forgets runs when memory is full';
  return [`Redis ${when} (maxmemory-policy ${policy}): set maxmemory-policy to noeviction.`];
}

function persistenceWarnings(config: Settings): string[] {
  if (config.get('appendonly') === 'yes') {
    if (config.get('appendfsync') !== 'no') return [];
    return ['Redis leaves it to the kernel when data reaches the disk: set appendfsync to everysec or always.'];
  }
  const save = config.get('save') ?? '';
  if (save === '') return ['Redis keeps nothing on disk, so that a restart forgets all runs: set appendonly to yes.'];
  return [
    `Redis only takes snapshots (save ${save}), so that a crash loses seconds to minutes: set appendonly to yes.`,
  ];
}

function persistenceFromInfo(info: Settings): string[] {
  if (info.get('aof_enabled') === '1') return [];
  return ['Redis has no append-only file, so that a crash loses at least what came after the last snapshot, if any.'];
}

function unchecked(info: Settings | null, config: Settings | null): string | null {
  if (config !== null && info !== null) return null;
  if (config !== null) return 'Redis does not allow INFO: whether it is a replica could not be checked.';
  if (info !== null) return 'Redis does not allow CONFIG GET: its snapshots and appendfsync could not be checked.';
  return 'Redis allows neither CONFIG GET nor INFO: its eviction, persistence and role could not be checked.';
}
