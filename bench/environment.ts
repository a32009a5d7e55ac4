import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { run } from '../process/run.js';
import { ensureTemporal } from '../start/tools/temporal-cli.js';

export interface Environment {
  repeats: number;
  cpus: string;
  /** over one minute, before and after */
  load: string[];
  versions: Record<string, string>;
  target?: string;
  durability: Record<string, string>;
}

/** What Temporal and Postgres promise of what they have confirmed, as `bench/services.ts` starts them. */
export const DURABILITY = { temporal: 'SQLite, WAL, synchronous=NORMAL', postgres: 'fsync' };

/** The load that others put on the machine is part of every figure. */
export async function readLoad(): Promise<string> {
  const running = (await readFile('/proc/loadavg', 'utf8')).split(' ')[3] ?? '';
  return `${loadavg()[0]?.toFixed(2)} (${running})`;
}

/** Of dependencies, as installed. */
export async function packageVersions(...names: string[]): Promise<Record<string, string>> {
  const versionOf = async (name: string) => {
    const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
    return [name, (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version] as const;
  };
  return Object.fromEntries(await Promise.all(names.map(versionOf)));
}

export async function describeMachine(): Promise<{ cpus: string; versions: Record<string, string> }> {
  const temporal = await ensureTemporal(() => undefined);
  return {
    cpus: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}`,
    versions: { node: process.version, temporal: (await run(temporal, ['--version'])).stdout.trim() },
  };
}
