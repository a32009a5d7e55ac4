import type { LabHost } from '../../lab/host.js';
import { describeMachine, DURABILITY, type Environment } from '../environment.js';

interface Describe {
  host: LabHost;
  peers: string;
  loads: string[];
  repeats: number;
}

export async function describeEnvironment({ host, peers, loads, repeats }: Describe): Promise<Environment> {
  const inside = async (script: string) => (await host.exec(script)).stdout.trim();
  const { cpus, versions } = await describeMachine();
  return {
    repeats,
    cpus,
    load: loads,
    versions: {
      ...versions,
      docker: await inside("docker version --format '{{.Server.Version}}'"),
      compose: await inside('docker compose version --short'),
      nginx: await inside('nginx -v 2>&1 | cut -d/ -f2'),
      mariadb: await inside('mariadb --batch --skip-column-names -e "select version()"'),
      ansible: peers,
    },
    target: `${host.sshUser}, HOME with ${await inside(`ls -A ~${host.sshUser} | tr '\\n' ' '`)}`,
    durability: { ...DURABILITY, peers: 'none' },
  };
}
