import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../workflows/contract/search-attributes.js';
import { labDir, stateFile } from './config.js';
import { openLabHost, startLabHost } from './host.js';
import { withLock } from '../process/lock.js';
import { startPostgres } from '../start/services/postgres.js';
import { isAlive } from '../process/process-id.js';
import { prepareLab } from './prepare.js';
import { run } from '../process/run.js';
import { startTemporal } from '../start/services/temporal.js';
import { readUpState, type UpState, writeUpState } from './up-state.js';

const log = (line: string): void => console.log(line);

const HOSTS = [
  { name: 'maria', sql: 'mariadb', compose: 'v2' },
  { name: 'pg', sql: 'postgres', compose: 'v1' },
] as const;

const SAMPLE_VERSION = '1.3-master';

/** Starts what is not running: Temporal, Postgres, two hosts; all of it outlives this command until `down`. */
async function up(): Promise<void> {
  const images = await prepareLab([SAMPLE_VERSION], log);
  const sshKeyFile = await ensureSshKey();
  const before = await readUpState();
  const state: UpState = { hosts: [], sshKeyFile };
  const keep = async (part: Partial<UpState>): Promise<void> => writeUpState(Object.assign(state, part));

  if (before?.temporal && isAlive(before.temporal.process)) state.temporal = before.temporal;
  if (before?.postgres && isAlive(before.postgres.process)) state.postgres = before.postgres;
  for (const host of before?.hosts ?? []) {
    if (isAlive(host.supervisor)) state.hosts.push(host);
  }
  await keep({});

  if (!state.temporal) {
    const searchAttributes = Object.keys(SEARCH_ATTRIBUTES);
    const server = await startTemporal({
      dir: join(labDir, 'up/temporal'),
      log,
      searchAttributes,
      detached: true,
    });
    await keep({ temporal: { address: server.address, uiUrl: server.uiUrl, process: server.process } });
  }
  if (!state.postgres) {
    const server = await startPostgres({
      dir: join(labDir, 'up/postgres'),
      persistent: true,
      log,
      detached: true,
    });
    await keep({ postgres: { url: server.url, process: server.process } });
  }
  await startHosts(state, images);
  log(`everything is up, addresses in ${stateFile}`);
}

async function startHosts(state: UpState, images: string[]): Promise<void> {
  const missing = HOSTS.filter(({ name }) => !state.hosts.some((host) => host.name === name));
  for (const host of state.hosts) await openLabHost(host).waitUntilReady();
  if (missing.length === 0) return;
  const authorizedKey = await readFile(`${state.sshKeyFile}.pub`, 'utf8');
  await Promise.all(
    missing.map(async (wanted) => {
      const host = await startLabHost({ ...wanted, authorizedKey, log, images, detached: true });
      state.hosts.push(host);
      await writeUpState(state);
    }),
  );
}

async function ensureSshKey(): Promise<string> {
  const file = join(labDir, 'up/ssh-key');
  await mkdir(join(labDir, 'up'), { recursive: true });
  if (!existsSync(file))
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'slipway-lab', '-f', file]);
  return file;
}

await withLock(join(labDir, 'up.lock'), up);
