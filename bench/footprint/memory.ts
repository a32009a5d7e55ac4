import { readFile } from 'node:fs/promises';

/** MB of memory that a process and its children have in RAM; what they share is counted once (PSS). */
export async function memoryOfTree(pid: number): Promise<number> {
  const pids = await treeOf(pid);
  const each = await Promise.all(pids.map((one) => field(`/proc/${one}/smaps_rollup`, 'Pss')));
  return each.reduce((sum, mb) => sum + mb, 0);
}

/** MB that a process has in RAM (RSS). */
export function memoryOf(pid: number): Promise<number> {
  return field(`/proc/${pid}/status`, 'VmRSS');
}

async function field(file: string, name: string): Promise<number> {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(await readFile(file, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`${file} has no ${name}`);
  return Number(kilobytes) / 1024;
}

async function treeOf(pid: number): Promise<number[]> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim();
  const below = children === '' ? [] : await Promise.all(children.split(' ').map((id) => treeOf(Number(id))));
  return [pid, ...below.flat()];
}
