import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectRefusals, type Stage, setStage } from './stage.ts';

const FAULT_MS = 3_000;
/** A run that Airflow does not know: what is stored of it goes away by itself. */
const CALLBACK = { dag_id: 'unheard_of', dag_run_id: 'r', task_id: 't' };

let folder: string;
let stage: Stage | null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-disk-'));
  stage = null;
});
afterEach(async () => {
  await stage?.close();
  execFileSync('sh', ['-c', 'umount "$1" 2> /dev/null || true', 'sh', folder]);
  rmSync(folder, { recursive: true, force: true });
});

/** A disk of its own, of so many bytes. @throws Error with one line that says what is missing */
function mountDisk(size: string): void {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch (cause) {
    throw new Error('These tests mount a small disk: run them as root, where mounting is allowed', { cause });
  }
}

async function start(settings: Readonly<Record<string, string>> = {}): Promise<Stage> {
  stage = await setStage({ settings: { DAGAIN_DATA_DIR: folder, ...settings } });
  await stage.start();
  return stage;
}

const file = () => join(folder, 'dagain.db');

describe('the file of the embedded store', () => {
  test('its disk is full: nothing is taken in that is not kept, and every run ends right', async () => {
    mountDisk('2m');
    const current = await start();
    current.trigger('before');
    await pause(300);
    fillUp(join(folder, 'filler'));
    current.trigger('during');
    await pause(FAULT_MS);
    await current.untilRefused();
    rmSync(join(folder, 'filler'));
    await current.endsWell();
    expectRefusals(current);
  });

  test('another process holds its lock: nothing is taken in that is not kept, and every run ends right', async () => {
    const current = await start();
    current.trigger('before');
    await pause(300);
    const other = new DatabaseSync(file());
    other.exec('BEGIN EXCLUSIVE');
    current.trigger('during');
    // Each write waits for two seconds, and so do all others meanwhile.
    await current.untilRefused(2);
    other.close();
    await current.endsWell();
    expectRefusals(current);
  });

  test('it is deleted under the service: nothing is taken in that is not kept over a restart', async () => {
    const current = await start({ DAGAIN_RETRY_DELAY: '60s' });
    await current.send(CALLBACK);
    deleteFile();
    current.trigger('after');
    await expect.poll(() => current.answered.length).toBe(6);
    await current.kill();
    await current.start();
    await current.endsWell();
    expect(current.answered.filter(({ status }) => status !== 202 && status !== 0)).toEqual([]);
  });

  test('it is deleted under the service after a clear: said, and nothing is cleared once too often', async () => {
    const current = await start();
    current.trigger('before');
    const clears = () => current.model.runs().flatMap((run) => current.model.clearsOf(run));
    await expect.poll(() => clears().length).toBe(2);
    deleteFile();
    await expect.poll(() => logOf(current)).toContain('the store has lost data');
    await current.endsWell();
  });

  test('its disk is read-only: the service does not start, and says why in a line', async () => {
    mountDisk('2m');
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    await expect(start()).rejects.toThrow('the service has ended');
    expect(logOf(stage)).toMatch(/cannot be (?:opened|written)/);
  });
});

/** Writes until nothing more fits. */
function fillUp(path: string): void {
  const handle = openSync(path, 'w');
  try {
    for (;;) writeSync(handle, Buffer.alloc(4_096));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    closeSync(handle);
  }
}

function logOf(current: Stage | null): string {
  return current === null ? '' : readFileSync(current.logFile, 'utf8');
}

describe('a file that was damaged while the service was down', () => {
  const DAMAGES = {
    'its head is overwritten': () => overwrite(0, 100),
    'it is cut in half': () => truncateSync(file(), statSync(file()).size / 2),
    'its pages are overwritten': () => overwrite(4_096, statSync(file()).size - 4_096),
  };

  test.each(Object.entries(DAMAGES))('%s: nothing is taken in, and nothing is cleared', async (_name, damage) => {
    const current = await start({ DAGAIN_RETRY_DELAY: '60s' });
    for (let n = 0; n < 20; n += 1) current.trigger(`run-${n}`);
    await expect.poll(() => current.answered.length).toBeGreaterThanOrEqual(60);
    await current.kill();
    // What is in the log would mend the file.
    const database = new DatabaseSync(file());
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
    damage();
    const isUp = await current.start().then(
      () => true,
      () => false,
    );
    if (isUp) {
      current.passTime();
      expect((await current.send(CALLBACK)).status).toBe(500);
      await pause(FAULT_MS);
    }
    expect(logOf(current)).toMatch(/is damaged|is not a database/);
    expect(current.model.runs().flatMap((run) => current.model.clearsOf(run))).toEqual([]);
  });
});

function deleteFile(): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(file() + suffix);
}

function overwrite(from: number, length: number): void {
  const handle = openSync(file(), 'r+');
  writeSync(handle, Buffer.alloc(length, 0x5a), 0, length, from);
  closeSync(handle);
}
