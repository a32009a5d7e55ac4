import { readFileSync } from 'node:fs';

/**
 * Asks every command that runs in this process' own group to end, as the terminal's Ctrl-C does by itself. Services,
 * hosts and locks are in groups of their own and are ended in order by their owner.
 */
export function endCommands(): void {
  const group = groupOf(process.pid);
  for (const pid of childrenOf(process.pid)) {
    if (groupOf(pid) !== group) continue;
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      // it has just ended
    }
  }
}

function childrenOf(pid: number): number[] {
  const direct = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return direct.flatMap((child) => [child, ...childrenOf(child)]);
}

function groupOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // the command may hold spaces and parentheses; the fields after its last one do not: state, parent, group
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2];
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
