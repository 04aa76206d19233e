import { type BigIntStats, readFileSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { DagainError } from '../core/errors.ts';
import { EMPTY_POLICY_FILE, type PolicyFile, parsePolicyFile } from './policy-file.ts';

export interface LivePolicyFile {
  current(): PolicyFile;
  /** Reads the file again: swapped in whole if it is valid, else refused while the old one stays. */
  reload(): 'unchanged' | 'swapped' | 'refused';
  close(): void;
}

export interface LivePolicyFileDeps {
  /** Null: there is none, and the built-in policy and the environment decide. */
  readonly path: string | null;
  readonly pollIntervalMs: number;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
  /** Hears of every reload, for metrics; `restored`: a file that was refused is as before again. */
  readonly onReload: (result: 'swapped' | 'refused' | 'restored') => void;
}

/**
 * Keeps up with a policy file. It is polled, because a mounted ConfigMap changes by a swapped link, of which file
 * system events do not tell.
 * @throws DagainError `configuration_invalid` where the file cannot be read or is invalid at the start; later it is only
 * refused.
 */
export function openPolicyFile(deps: LivePolicyFileDeps): LivePolicyFile {
  if (deps.path === null) return { current: () => EMPTY_POLICY_FILE, reload: () => 'unchanged', close() {} };
  return follow(deps.path, deps);
}

function follow(path: string, { pollIntervalMs, log, onReload }: LivePolicyFileDeps): LivePolicyFile {
  // Looked at before each read: what changes in between shows at the next poll. `watchFile` would miss it.
  let mark = markNow(path);
  let text = readAtStart(path);
  let file = parsePolicyFile(text, path);
  let isRefused = false;

  function reload(): 'unchanged' | 'swapped' | 'refused' {
    mark = markNow(path);
    try {
      const newText = readFileSync(path, 'utf8');
      if (newText === text) {
        if (isRefused) onReload('restored');
        isRefused = false;
        return 'unchanged';
      }
      file = parsePolicyFile(newText, path);
      text = newText;
      isRefused = false;
      log.info({ path }, 'policy file changed: the new policy is in force');
      onReload('swapped');
      return 'swapped';
    } catch (error) {
      log.error({ path, detail: (error as Error).message }, 'policy file refused: the old policy stays in force');
      isRefused = true;
      onReload('refused');
      return 'refused';
    }
  }

  let isLooking = false;
  let isClosed = false;
  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    const before = mark;
    const seen = await stat(path, { bigint: true }).then(markOf, markOfError);
    isLooking = false;
    // Somebody may have asked for a reload meanwhile, or closed it.
    if (!isClosed && mark === before && seen !== mark) reload();
  }

  const timer = setInterval(() => void look(), pollIntervalMs).unref();
  return {
    current: () => file,
    reload,
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}

function readAtStart(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new DagainError('configuration_invalid', `the policy file ${path} cannot be read (${markOfError(error)})`, {
      cause: error,
    });
  }
}

/** What tells one state of the file from the next without reading it. */
function markOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

function markOfError(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

function markNow(path: string): string {
  try {
    return markOf(statSync(path, { bigint: true }));
  } catch (error) {
    return markOfError(error);
  }
}
