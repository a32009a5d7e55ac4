import { readFileSync } from 'node:fs';
import { pollUntil } from './poll.js';

/** A process beyond doubt: ids are used again, an id with its start time is not. */
export interface ProcessId {
  pid: number;
  /** clock ticks since boot, field 22 of /proc/<pid>/stat; null where there is no /proc */
  started: string | null;
}

export function processId(pid: number): ProcessId {
  return { pid, started: startTime(pid) };
}

export function isAlive({ pid, started }: ProcessId): boolean {
  if (process.platform === 'linux') return started !== null && startTime(pid) === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** TERM, then KILL after `graceMs`; does nothing to a stranger who got the same id. */
export async function endProcess(id: ProcessId, graceMs: number, signal: NodeJS.Signals = 'SIGTERM') {
  if (!sendSignal(id, signal)) return;
  const gone = () => (isAlive(id) ? undefined : true);
  try {
    await pollUntil({ what: `process ${id.pid} ends`, deadlineMs: graceMs, probe: gone });
  } catch {
    sendSignal(id, 'SIGKILL');
    // 5 s: a killed process only has to be reaped.
    await pollUntil({ what: `killed process ${id.pid} ends`, deadlineMs: 5000, probe: gone });
  }
}

export function sendSignal(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false;
  try {
    process.kill(id.pid, signal);
    return true;
  } catch {
    return false;
  }
}

function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command may hold spaces and parentheses; the fields after its last one do not.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

/** The only child of a process; a lab host's init is that of its `unshare`. */
export function onlyChild(pid: number): number | undefined {
  try {
    const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
    return child ? Number(child) : undefined;
  } catch {
    return undefined;
  }
}
