import { setTimeout as delay } from 'node:timers/promises';
import type { LabHost } from '../../lab/host.js';
import type { Rig } from '../create-client/rig.js';
import type { Supervised } from '../supervised.js';
import type { Victim } from './killer.js';

/** Long enough for everybody to notice, as where a supervisor starts a server again. */
const DOWN_MS = 500;

/** It may be Postgres or Temporal that it waits for. */
const RESTART_MS = 300_000;

async function killProcess(victim: Supervised): Promise<void> {
  victim.kill();
  await victim.ready(RESTART_MS);
}

/** The processes of Slipway itself. */
export function victimsOfSlipway({ worker, api, temporal, crashPostgres }: Rig): Victim[] {
  return [
    { name: 'worker', weight: 6, kill: () => killProcess(worker) },
    { name: 'api', weight: 4, kill: () => killProcess(api) },
    {
      name: 'temporal',
      weight: 2,
      async kill() {
        await temporal.kill();
        await delay(DOWN_MS);
        await temporal.restart();
      },
    },
    { name: 'postgres', weight: 2, kill: crashPostgres },
  ];
}

/** What dies on the servers with clients, whoever works there. */
export function victimsOfHosts(hosts: readonly LabHost[]): Victim[] {
  return hosts.flatMap((host, index) => [
    { name: `sshd session ${index + 1}`, weight: 3, kill: () => killSession(host) },
    { name: `dockerd ${index + 1}`, weight: 1, kill: () => killDocker(host) },
  ]);
}

/** All sessions of the SSH user, which are one connection or a few; what they run goes on without them. */
async function killSession(host: LabHost): Promise<void> {
  await host.exec(`for pid in $(pgrep -f '^sshd: ${host.sshUser}@'); do kill -KILL $pid || true; done`);
}

async function killDocker(host: LabHost): Promise<void> {
  await host.exec('lab-service kill docker');
  await delay(DOWN_MS);
  await host.exec('lab-service start docker');
  await host.waitUntilReady();
}
