import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LivePolicyFile, openPolicyFile } from '../../src/config/live-policy-file.ts';
import { EMPTY_POLICY_FILE } from '../../src/config/policy-file.ts';
import { createFakeLog } from '../http/serve.ts';

let folder: string;
let path: string;
let opened: LivePolicyFile[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-policy-'));
  path = join(folder, 'policy.yaml');
  opened = [];
});
afterEach(() => {
  for (const live of opened) live.close();
  rmSync(folder, { recursive: true, force: true });
});

const retries = (count: number | string) => `defaults:\n  max_retries: ${count}\n`;

/** Follows `path`; by hand only, unless `pollIntervalMs` says otherwise. */
function open(pollIntervalMs = 3_600_000, at: string | null = path) {
  const log = createFakeLog();
  const results: string[] = [];
  let wake = () => {};
  const live = openPolicyFile({
    path: at,
    pollIntervalMs,
    log,
    onReload(result) {
      results.push(result);
      wake();
    },
  });
  opened.push(live);
  return {
    live,
    log,
    results,
    max: () => live.current().defaults.max_retries,
    /** Resolves with the next result of the poll; no longer than the test's own limit. */
    async next(): Promise<string> {
      const known = results.length;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      return results[known] ?? '';
    },
  };
}

describe('at the start', () => {
  test('without a path there is an empty policy, and nothing to read', () => {
    const { live } = open(1, null);
    expect(live.current()).toBe(EMPTY_POLICY_FILE);
    expect(live.reload()).toBe('unchanged');
  });

  test('the file is in force, as one object until it changes', () => {
    writeFileSync(path, retries(3));
    const { live, max } = open();
    expect(max()).toBe(3);
    expect(live.current()).toBe(live.current());
  });

  test('a file that is not valid is an error that names everything', () => {
    writeFileSync(path, 'defaults:\n  max_retry: 3\n  delay: soon\n');
    expect(() => open()).toThrow(
      expect.objectContaining({
        code: 'configuration_invalid',
        message: expect.stringMatching(new RegExp(`^${path}:2: defaults.max_retry .*\n${path}:3: defaults.delay .*$`)),
      }),
    );
  });

  test.each([
    ['is not there', 'ENOENT'],
    ['is a folder', 'EISDIR'],
  ])('a file that %s is an error that says so', (_name, code) => {
    if (code === 'EISDIR') mkdirSync(path);
    expect(() => open()).toThrow(
      expect.objectContaining({
        code: 'configuration_invalid',
        message: `the policy file ${path} cannot be read (${code})`,
      }),
    );
  });
});

describe('on demand', () => {
  test('a changed file is swapped in as a whole', () => {
    writeFileSync(path, `${retries(1)}limits: { max_retries: 5 }\n`);
    const { live, max, log, results } = open();
    expect(live.reload()).toBe('unchanged');
    writeFileSync(path, retries(2));
    expect(live.reload()).toBe('swapped');
    expect(live.reload()).toBe('unchanged');
    expect([max(), live.current().limits]).toEqual([2, {}]);
    expect(results).toEqual(['swapped']);
    expect(log.lines).toEqual([
      { level: 'info', fields: { path }, message: 'policy file changed: the new policy is in force' },
    ]);
  });

  test('a file that is not valid is refused, said so, and the old one stays', () => {
    writeFileSync(path, retries(1));
    const { live, max, log, results } = open();
    const before = live.current();
    writeFileSync(path, retries('many'));
    expect(live.reload()).toBe('refused');
    expect(live.current()).toBe(before);
    expect(max()).toBe(1);
    const [line] = log.lines;
    expect(line).toMatchObject({ level: 'error', message: 'policy file refused: the old policy stays in force' });
    expect(line?.fields).toMatchObject({ detail: expect.stringContaining(`${path}:2: defaults.max_retries must be`) });
    // Not forgotten: whoever asks again is told again, until it is mended.
    expect(live.reload()).toBe('refused');
    writeFileSync(path, retries(4));
    expect(live.reload()).toBe('swapped');
    expect([max(), results]).toEqual([4, ['refused', 'refused', 'swapped']]);
  });

  test('a bad change that is taken back is told of, once', () => {
    writeFileSync(path, retries(1));
    const { live, results } = open();
    writeFileSync(path, retries('many'));
    live.reload();
    writeFileSync(path, retries(1));
    expect(live.reload()).toBe('unchanged');
    live.reload();
    expect(results).toEqual(['refused', 'restored']);
  });

  test('a bad file that is put back as it was changes nothing', () => {
    writeFileSync(path, retries(1));
    const { live } = open();
    const before = live.current();
    writeFileSync(path, ': :');
    live.reload();
    writeFileSync(path, retries(1));
    expect(live.reload()).toBe('unchanged');
    expect(live.current()).toBe(before);
  });

  test('a file that is gone leaves the old one in force, until it is back', () => {
    writeFileSync(path, retries(1));
    const { live, max, log } = open();
    unlinkSync(path);
    expect(live.reload()).toBe('refused');
    expect(max()).toBe(1);
    expect(log.lines[0]?.fields).toMatchObject({ detail: expect.stringContaining('ENOENT') });
    writeFileSync(path, retries(2));
    expect(live.reload()).toBe('swapped');
    expect(max()).toBe(2);
  });

  test('line endings and a byte order mark are no matter', () => {
    writeFileSync(path, retries(1));
    const { live, max } = open();
    writeFileSync(path, `\ufeff${retries(2).replaceAll('\n', '\r\n')}`);
    expect(live.reload()).toBe('swapped');
    expect(max()).toBe(2);
  });
});

describe('by the poll', () => {
  test('a change is noticed without being told of it', async () => {
    writeFileSync(path, retries(1));
    const { next, max } = open(5);
    const swapped = next();
    writeFileSync(path, retries(22));
    expect(await swapped).toBe('swapped');
    expect(max()).toBe(22);
  });

  test('an invalid change is refused, and the valid one after it taken', async () => {
    writeFileSync(path, retries(1));
    const { next, max } = open(5);
    const refused = next();
    writeFileSync(path, retries('many'));
    expect(await refused).toBe('refused');
    expect(max()).toBe(1);
    const swapped = next();
    writeFileSync(path, retries(333));
    expect(await swapped).toBe('swapped');
    expect(max()).toBe(333);
  });

  test('a bad file is said to be bad once, not at every look', async () => {
    writeFileSync(path, retries(1));
    const clock = join(folder, 'clock.yaml');
    writeFileSync(clock, retries(1));
    const { next, results } = open(5);
    const other = open(5, clock);
    const refused = next();
    writeFileSync(path, retries('many'));
    await refused;
    // Several looks later, by another file that is looked at as often.
    for (let n = 2; n < 8; n += 1) {
      const swapped = other.next();
      writeFileSync(clock, retries(n));
      await swapped;
    }
    expect(results).toEqual(['refused']);
  });

  test('a file that goes and comes back is followed', async () => {
    writeFileSync(path, retries(1));
    const { next, max } = open(5);
    const refused = next();
    unlinkSync(path);
    expect(await refused).toBe('refused');
    expect(max()).toBe(1);
    const swapped = next();
    writeFileSync(path, retries(2));
    expect(await swapped).toBe('swapped');
    expect(max()).toBe(2);
  });

  test('a ConfigMap is followed: its files are links into a folder that is swapped by a link', async () => {
    const version = (name: string, text: string) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'policy.yaml'), text);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    version('..2026_01', retries(1));
    symlinkSync(join('..data', 'policy.yaml'), path);
    const { next, max } = open(5);
    expect(max()).toBe(1);
    const swapped = next();
    // Of the same length, so that only the link tells.
    version('..2026_02', retries(2));
    rmSync(join(folder, '..2026_01'), { recursive: true });
    expect(await swapped).toBe('swapped');
    expect(max()).toBe(2);
  });

  test('nothing is followed any more once it is closed', async () => {
    writeFileSync(path, retries(1));
    const { live, results, max } = open(1);
    live.close();
    writeFileSync(path, retries(22));
    // Another follower of the same file sees the change; the closed one would have, too.
    const other = open(1);
    const swapped = other.next();
    writeFileSync(path, retries(333));
    await swapped;
    expect([results, max()]).toEqual([[], 1]);
  });

  test('two may follow one file, and closing one leaves the other', async () => {
    writeFileSync(path, retries(1));
    const [first, second] = [open(5), open(5)];
    first.live.close();
    const swapped = second.next();
    writeFileSync(path, retries(22));
    expect(await swapped).toBe('swapped');
    expect([first.max(), second.max()]).toEqual([1, 22]);
  });
});
