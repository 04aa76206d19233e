import { hash } from 'node:crypto';
import { JOURNAL_MAX_AGE_MS, JOURNAL_MAX_ENTRIES } from '../port.ts';
import { SHARD_COUNT } from './layout.ts';

/** Redis drops whole blocks of a stream, of 100 entries by default: so many more may be kept. */
const BLOCK = 100;
/** To which a shard's journal is cut at most. */
export const MAX_LENGTH = Math.floor(JOURNAL_MAX_ENTRIES / SHARD_COUNT) - BLOCK;

/** Sends one command and answers with Redis's reply. */
export type Send = (args: readonly string[]) => Promise<unknown>;

/** A script with the keys and arguments that its comment names. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

function script(text: string): Script {
  return { text, sha1: hash('sha1', text) };
}

/**
 * Adds the arguments from `first` on to a journal and drops what is too old, by Redis's clock. Redis before 6.2 cannot
 * drop by age: an error there must not leave half of a script done.
 */
const APPEND = `
local function append(journal, first)
  for at = first, #ARGV do
    redis.call('XADD', journal, 'MAXLEN', '~', ${MAX_LENGTH}, '*', 'e', ARGV[at])
  end
  if #ARGV < first then return end
  local oldest = string.format('%.0f', redis.call('TIME')[1] * 1000 - ${JOURNAL_MAX_AGE_MS})
  redis.pcall('XTRIM', journal, 'MINID', oldest)
end
`;

/**
 * Replaces a run's record and its places in both indexes; answers with the new version, or nil on conflict.
 * What the journal keeps of the change goes with it.
 *
 * All keys are read before the first write: a key of another type then fails the script while nothing has changed.
 * Out of memory, Redis refuses a script at its first write or not at all; a deletion therefore begins with a command
 * that can only free memory and works, anything else begins with XADD or HSET and is refused. The journal comes first:
 * a user who may not write streams is refused while nothing has changed.
 *
 * Versions never go back, also when Redis has lost its latest writes or the whole sequence: its clock, in
 * microseconds, is the lower bound. They need more digits than Lua's own number format writes.
 */
export const SWAP = script(`
-- KEYS: records, due, members, sequence, journal.
-- ARGV: member, expected version, JSON ('' deletes), due in ms ('' for never), entries of the journal
${APPEND}
local stored = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('ZSCORE', KEYS[2], ARGV[1])
redis.call('ZSCORE', KEYS[3], ARGV[1])
redis.call('XLEN', KEYS[5])
local last = tonumber(redis.call('GET', KEYS[4]) or '0') or 0

local version = '0'
if stored then
  version = string.match(stored, '^([1-9]%d*) ')
  if not version or #version > 16 or tonumber(version) > 9007199254740991 then version = '1' end
end
if version ~= ARGV[2] then return false end

local clock = redis.call('TIME')
local next = math.max(last + 1, tonumber(version) + 1, clock[1] * 1000000 + clock[2])
next = string.format('%.0f', next)
if ARGV[3] == '' then
  if #ARGV > 4 then redis.call('XTRIM', KEYS[5], 'MAXLEN', '~', ${MAX_LENGTH}) end
  append(KEYS[5], 5)
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  append(KEYS[5], 5)
  redis.call('HSET', KEYS[1], ARGV[1], next .. ' ' .. ARGV[3])
  redis.call('ZADD', KEYS[3], 0, ARGV[1])
  if ARGV[4] == '' then
    redis.call('ZREM', KEYS[2], ARGV[1])
  else
    redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
  end
end
redis.call('SET', KEYS[4], next)
return next
`);

/**
 * Moves what is due to the end of a lease and answers with it: member, due time and value (nil: missing), one after
 * the other, the most overdue first.
 *
 * It removes before it adds, so that it still works when Redis is out of memory: only so can the worker get to what
 * it may delete.
 */
export const TAKE_DUE = script(`
-- KEYS: records, due. ARGV: now in ms, limit, end of the lease in ms
local found = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local taken = {}
for at = 1, #found, 2 do
  local member = found[at]
  taken[#taken + 1] = member
  taken[#taken + 1] = found[at + 1]
  taken[#taken + 1] = redis.call('HGET', KEYS[1], member)
end
for at = 1, #found, 2 do
  redis.call('ZREM', KEYS[2], found[at])
  redis.call('ZADD', KEYS[2], ARGV[3], found[at])
end
return taken
`);

/** Moves a mark forward, never back; answers with where it is then. */
export const ADVANCE_MARK = script(`
-- KEYS: marks. ARGV: name, time in ms
local stored = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '')
if stored and stored >= tonumber(ARGV[2]) then return string.format('%.0f', stored) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return ARGV[2]
`);

/** The same for a mark that is known to have been somewhere; answers 0, and writes nothing, where it is not there any more. */
export const ADVANCE_MARK_FROM = script(`
-- KEYS: marks. ARGV: name, where it was seen, time in ms
local stored = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '')
if not stored or stored < tonumber(ARGV[2]) then return 0 end
if stored < tonumber(ARGV[3]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
`);

/**
 * Pauses a scope that is not paused, or resumes one that is; answers 1, or 0 where there is nothing to change. It begins
 * with a command that can only free memory, so that it works when Redis is out of it: stopping everything may help.
 */
export const SET_PAUSE = script(`
-- KEYS: pauses, journal. ARGV: scope, JSON ('' resumes), entry of the journal
${APPEND}
local isPaused = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
redis.call('XLEN', KEYS[2])
if isPaused == (ARGV[2] ~= '') then return 0 end
redis.call('XTRIM', KEYS[2], 'MAXLEN', '~', ${MAX_LENGTH})
append(KEYS[2], 3)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return 1
`);

/**
 * Does once, on keys of its own, what the store does anywhere: where one of these commands is forbidden, or only reading
 * works, the store cannot serve. It begins with a command that Redis refuses when it is out of memory. The stream stays,
 * without entries: removing it would take a command that nothing else needs.
 */
export const PING = script(`
-- KEYS: value, hash, sorted set, stream. ARGV: how long the value stays, in ms
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
redis.call('GET', KEYS[1])
redis.call('TIME')
redis.call('HSET', KEYS[2], 'ping', '1')
redis.call('HGET', KEYS[2], 'ping')
redis.call('HMGET', KEYS[2], 'ping')
redis.call('HGETALL', KEYS[2])
redis.call('HEXISTS', KEYS[2], 'ping')
redis.call('HLEN', KEYS[2])
redis.call('HDEL', KEYS[2], 'ping')
redis.call('ZADD', KEYS[3], 0, 'ping')
redis.call('ZSCORE', KEYS[3], 'ping')
redis.call('ZCOUNT', KEYS[3], '-inf', '+inf')
redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '+inf')
redis.call('ZRANGEBYLEX', KEYS[3], '-', '+')
redis.call('ZREM', KEYS[3], 'ping')
redis.call('XADD', KEYS[4], '*', 'e', '')
redis.call('XLEN', KEYS[4])
redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)
redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)
redis.call('XTRIM', KEYS[4], 'MAXLEN', 0)
`);

/** Runs a script by its digest, and by its text where Redis does not know it yet: then it has certainly not run. */
export async function runScript(send: Send, script: Script, keys: readonly string[], args: readonly string[]) {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    return await send(['EVALSHA', script.sha1, ...rest]);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return await send(['EVAL', script.text, ...rest]);
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && error.cause.message.startsWith('NOSCRIPT');
}
