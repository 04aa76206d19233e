import { readFileSync, unwatchFile, watchFile } from 'node:fs';
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
  /** Hears of every reload, for metrics. */
  readonly onReload: (result: 'swapped' | 'refused') => void;
}

/**
 * Keeps up with a policy file. It is polled, because a mounted ConfigMap changes by a swapped link, of which file
 * system events do not tell.
 * @throws DagainError `configuration_invalid` where the file is invalid at the start; later it is only refused.
 */
export function openPolicyFile(deps: LivePolicyFileDeps): LivePolicyFile {
  if (deps.path === null) return { current: () => EMPTY_POLICY_FILE, reload: () => 'unchanged', close() {} };
  return follow(deps.path, deps);
}

function follow(path: string, { pollIntervalMs, log, onReload }: LivePolicyFileDeps): LivePolicyFile {
  let text = readFileSync(path, 'utf8');
  let file = parsePolicyFile(text, path);

  function reload(): 'unchanged' | 'swapped' | 'refused' {
    try {
      const newText = readFileSync(path, 'utf8');
      if (newText === text) return 'unchanged';
      file = parsePolicyFile(newText, path);
      text = newText;
      log.info({ path }, 'policy file changed: the new policy is in force');
      onReload('swapped');
      return 'swapped';
    } catch (error) {
      log.error({ path, detail: (error as Error).message }, 'policy file refused: the old policy stays in force');
      onReload('refused');
      return 'refused';
    }
  }

  const onChange = () => {
    reload();
  };
  watchFile(path, { interval: pollIntervalMs, persistent: false }, onChange);
  return { current: () => file, reload, close: () => unwatchFile(path, onChange) };
}
