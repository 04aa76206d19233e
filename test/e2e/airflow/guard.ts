/**
 * Runs a command as a session of its own and ends that whole session when told to, when the command ends, or when
 * whoever started the guard dies (its end of the pipe closes, even by SIGKILL): no test can leave an Airflow behind.
 * Usage: node guard.ts <log file> <command> [argument...]; "term" or "kill" on standard input say how to end.
 */
import { spawn } from 'node:child_process';
import { openSync, readdirSync, readFileSync } from 'node:fs';

const GRACE_MS = 8_000;
const [logFile = '', command = '', ...args] = process.argv.slice(2);
const log = openSync(logFile, 'a');
const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log] });
const sessionId = child.pid;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end('SIGTERM'));
process.stdin.on('data', (order) => end(order.toString().startsWith('kill') ? 'SIGKILL' : 'SIGTERM'));
process.stdin.on('end', () => end('SIGTERM'));
child.on('error', () => process.exit(127));
child.on('exit', () => {
  signalSession('SIGKILL');
  process.exit();
});

let ending = false;
function end(signal: NodeJS.Signals): void {
  if (ending && signal !== 'SIGKILL') return;
  ending = true;
  // Gently, only the leader: it ends its own children, and those that it forgets die with the session.
  if (signal === 'SIGTERM') child.kill('SIGTERM');
  else signalSession('SIGKILL');
  setTimeout(() => signalSession('SIGKILL'), GRACE_MS).unref();
}

/** Airflow moves some children into process groups of their own, but never out of the session. */
function signalSession(signal: NodeJS.Signals): void {
  for (const pid of readdirSync('/proc').map(Number)) {
    if (Number.isInteger(pid) && pid > 1 && sessionOf(pid) === sessionId) trySignal(pid, signal);
  }
}

function sessionOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // "pid (name) state ppid pgrp session ...": the name may hold anything, so count from its last bracket.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
  } catch {
    return undefined;
  }
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}
