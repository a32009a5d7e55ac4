import { readFileSync } from 'node:fs';
import { type LabHost, type LabHostRecord, openLabHost } from '../../lab/host.js';

/** What `test/run.ts` started for every lab test of this run. */
export interface SharedLab {
  hosts: LabHostRecord[];
  sshKeyFile: string;
}

/** Why lab tests cannot run, for `{ skip: noLab }`; false when they can. */
export const noLab: string | false =
  process.env['SLIPWAY_TEST_LAB'] === undefined ? 'no lab: start it through `npm test`' : false;

export function sharedLab(): SharedLab {
  return JSON.parse(readFileSync(process.env['SLIPWAY_TEST_LAB'] ?? '', 'utf8')) as SharedLab;
}

/** `maria`: MariaDB and docker compose v2; `pg`: Postgres and docker-compose 1.29. Shared by all tests of a run. */
export function sharedHost(name: 'maria' | 'pg'): LabHost {
  const record = sharedLab().hosts.find((host) => host.name.startsWith(name));
  if (record === undefined) throw new Error(`the lab has no host ${name}`);
  return openLabHost(record);
}

export function labPrivateKey(): string {
  return readFileSync(sharedLab().sshKeyFile, 'utf8');
}
