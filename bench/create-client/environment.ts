import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import type { LabHost } from '../../lab/host.js';
import { run } from '../../lab/run.js';
import { ensureTools } from '../../lab/tools.js';

export interface Environment {
  repeats: number;
  cpus: string;
  /** over one minute, before and after */
  load: string[];
  versions: Record<string, string>;
  target: string;
  durability: Record<string, string>;
}

/** The load that others put on the machine is part of every figure. */
export async function readLoad(): Promise<string> {
  const running = (await readFile('/proc/loadavg', 'utf8')).split(' ')[3] ?? '';
  return `${loadavg()[0]?.toFixed(2)} (${running})`;
}

interface Describe {
  host: LabHost;
  peers: string;
  loads: string[];
  repeats: number;
}

export async function describeEnvironment({ host, peers, loads, repeats }: Describe): Promise<Environment> {
  const { temporal } = await ensureTools({ log: () => undefined, need: ['temporal'] });
  const inside = async (script: string) => (await host.exec(script)).stdout.trim();
  return {
    repeats,
    cpus: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}`,
    load: loads,
    versions: {
      node: process.version,
      temporal: (await run(temporal, ['--version'])).stdout.trim(),
      docker: await inside("docker version --format '{{.Server.Version}}'"),
      compose: await inside('docker compose version --short'),
      nginx: await inside('nginx -v 2>&1 | cut -d/ -f2'),
      mariadb: await inside('mariadb --batch --skip-column-names -e "select version()"'),
      ansible: peers,
    },
    target: `${host.sshUser}, HOME with ${await inside(`ls -A ~${host.sshUser} | tr '\\n' ' '`)}`,
    durability: { temporal: 'SQLite, WAL, synchronous=NORMAL', postgres: 'fsync', peers: 'none' },
  };
}
