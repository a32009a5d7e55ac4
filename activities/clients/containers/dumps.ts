import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { spareOf } from '../../../workflows/contract/clients/databases.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import type { Server } from '../../hosts/connections.js';
import type { Host } from '../../hosts/host.js';
import { sh } from '../../ssh/shell.js';
import type { Connections } from '../connections.js';
import { renderEnvFile } from '../product/env-file.js';
import { environmentNaming, loadProfile } from '../product/profile.js';
import { type Backup, backupPath, backupScript } from './backup.js';
import { createClientHosts } from './client-hosts.js';
import { CLIENT_FILES } from './compose-file.js';
import { bringBackScript, copyBesideScript, copyLiveScript, restoreScript } from './restore.js';

/** As long as the steps: a large client's dump and files take hours on slow disks, both ways. */
const DUMP_TIMEOUT_MS = 6 * 3_600_000;

/** `path`: a backup on the client's server. */
type Dumped = ClientThing & { path: string };

/** A client's database and files in a directory of their own, and back. */
export function createDumpActivities(connections: Connections) {
  const hosts = createClientHosts(connections);
  const openBackup = async ({ names }: ClientThing, path: string, step: StepContext): Promise<Host> => {
    const host = await hosts.open(names.serverId, step);
    requireBackupPath(host.server, path);
    return host;
  };

  return {
    /** Dump and archive under `<base_dir>/backup/clients`, whole or absent. `keepDays` is for its record. */
    backupClient: async (
      { names, operation }: ClientThing & { keepDays: number },
      step: StepContext,
    ): Promise<Backup> => {
      const host = await hosts.open(names.serverId, step);
      const { server, facts } = host;
      const thing = { names, operation };
      const script = backupScript({ thing, server, docker: facts.docker, step });
      const { tail } = await hosts.runSqlJob(host, step, { script, timeoutMs: DUMP_TIMEOUT_MS });
      const sizeBytes = Number(/size (\d+)\s*$/.exec(tail)?.[1]);
      const path = backupPath(server, names, step);
      step.summarize(`${path}, ${sizeBytes} bytes`);
      return { path, sizeBytes };
    },

    /**
     * Database and uploads of the backup `path`, which may be another client's, in the place of the client's own. Foreign
     * directories and databases are `Conflict`.
     */
    restoreClient: async ({ path, ...thing }: Dumped, step: StepContext): Promise<void> => {
      const host = await openBackup(thing, path, step);
      const { server, facts } = host;
      const key = `${jobKey(step)}-restore`;
      const script = restoreScript({ thing, server, docker: facts.docker, path, step, key });
      await hosts.runSqlJob(host, step, { script, timeoutMs: DUMP_TIMEOUT_MS });
      step.summarize(`data from ${path}`);
    },

    /**
     * The client's own backup in its second database, compared with the first: then it is proven, and a change may begin.
     * `CommandFailed` names what could not be restored, or came back otherwise.
     */
    copyBeside: async ({ path, ...thing }: Dumped, step: StepContext): Promise<void> => {
      const host = await openBackup(thing, path, step);
      const { server } = host;
      const script = copyBesideScript({ thing, server, path });
      const { tail } = await hosts.runSqlJob(host, step, { script, timeoutMs: DUMP_TIMEOUT_MS });
      step.summarize(/equal: .*/.exec(tail)?.[0] ?? `${spareOf(thing.names)} is whole`);
    },

    /** The client's data as they are now, in its second database; it serves on meanwhile. */
    copyLive: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const host = await hosts.open(thing.names.serverId, step);
      const script = copyLiveScript({ thing, server: host.server });
      await hosts.runSqlJob(host, step, { script, timeoutMs: DUMP_TIMEOUT_MS });
      step.summarize(`database ${spareOf(thing.names)}`);
    },

    /**
     * Undo of whatever changes a client's data: files and configuration of the backup, and the second database, which
     * `copyBeside` has filled from it, as the client's own. Nothing is restored into the first.
     */
    bringBack: async ({ path, ...thing }: Dumped, step: StepContext): Promise<void> => {
      const { names } = thing;
      const host = await openBackup(thing, path, step);
      const { server, facts } = host;
      const profile = loadProfile(names.product);
      const archived = sh`tar -xzOf ${path}/files.tar.gz ./${CLIENT_FILES.env} 2>/dev/null || true`;
      const current = (await hosts.look(host, step, archived)).stdout;
      const database = spareOf(names);
      const values = environmentNaming(profile, { database });
      const env = current === '' ? '' : renderEnvFile({ example: current, current, values });
      const key = `${jobKey(step)}-restore`;
      const files = { thing, server, docker: facts.docker, path, step, key };
      const script = bringBackScript({ ...files, env, envGid: profile.envGid });
      await hosts.runJob(host, step, { script, input: env, timeoutMs: DUMP_TIMEOUT_MS });
      step.summarize(`files from ${path}, database ${database}`);
    },
  };
}

function requireBackupPath({ baseDir }: Server, path: string): void {
  const prefix = `${baseDir}/backup/clients/`;
  if (path.startsWith(prefix) && /^[\w-]+$/.test(path.slice(prefix.length))) return;
  throw failure('InvalidInput', `${JSON.stringify(path)} is no directory of backups`);
}
