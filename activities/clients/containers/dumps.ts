import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import type { Server } from '../../hosts/connections.js';
import type { Connections } from '../connections.js';
import { type Backup, backupPath, backupScript, dumpLogin } from './backup.js';
import { createClientHosts } from './client-hosts.js';
import { type RestoredPart, restoreScript } from './restore.js';

/** As long as the steps: a large client's dump and files take hours on slow disks, both ways. */
const DUMP_TIMEOUT_MS = 6 * 3_600_000;

/** A client's database and files in a directory of their own, and back. */
export function createDumpActivities(connections: Connections) {
  const { secrets } = connections;
  const hosts = createClientHosts(connections);
  const loginTo = async (server: Server) => dumpLogin(server, await secrets.reveal(server.sqlPassword));

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
      const input = await loginTo(server);
      const { tail } = await hosts.runJob(host, step, { script, input, timeoutMs: DUMP_TIMEOUT_MS });
      const sizeBytes = Number(/size (\d+)\s*$/.exec(tail)?.[1]);
      const path = backupPath(server, names, step);
      step.summarize(`${path}, ${sizeBytes} bytes`);
      return { path, sizeBytes };
    },

    /**
     * Puts the backup `path` of the client's server in the place of its database, its files, or both; `data` is the
     * database and the uploads, of a backup that may be another client's. Foreign directories and databases are `Conflict`.
     */
    restoreClient: async (
      { path, what, ...thing }: ClientThing & { path: string; what: RestoredPart },
      step: StepContext,
    ): Promise<void> => {
      const host = await hosts.open(thing.names.serverId, step);
      const { server, facts } = host;
      requireBackupPath(server, path);
      const key = `${jobKey(step)}-restore`;
      const script = restoreScript({ thing, server, docker: facts.docker, path, what, step, key });
      const input = await loginTo(server);
      await hosts.runJob(host, step, { script, input, timeoutMs: DUMP_TIMEOUT_MS });
      step.summarize(`${what} from ${path}`);
    },
  };
}

function requireBackupPath({ baseDir }: Server, path: string): void {
  const prefix = `${baseDir}/backup/clients/`;
  if (path.startsWith(prefix) && /^[\w-]+$/.test(path.slice(prefix.length))) return;
  throw failure('InvalidInput', `${JSON.stringify(path)} is no directory of backups`);
}
