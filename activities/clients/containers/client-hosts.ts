import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { createHosts, type FailedExit, type Host, type HostJob, type ReachedHost } from '../../hosts/host.js';
import { nameOf } from '../../hosts/connections.js';
import { sh } from '../../ssh/shell.js';
import type { JobResult } from '../../ssh/types.js';
import type { Connections } from '../connections.js';
import { loadProfile } from '../product/profile.js';
import { dumpLogin } from './backup.js';
import { type ClientFile, type ClientFilesInput, FOREIGN_EXIT, writeFilesScript } from './client-files.js';
import { sqlLost } from './sql-tools.js';

interface WrittenFiles {
  thing: ClientThing;
  files: readonly ClientFile[];
}

/** The servers of clients: what their files are made of, and whose directory is whose. */
export function createClientHosts(connections: Connections) {
  const { secrets } = connections;
  const hosts = createHosts(connections);

  return {
    ...hosts,

    /** `CommandFailed` where Docker or Compose are missing. */
    open: (serverId: number, step: Pick<StepContext, 'signal'>): Promise<Host> =>
      hosts.open(serverId, step, ['docker', 'compose']),

    /** Whatever of Docker is missing there. */
    openAsIs: (serverId: number, step: Pick<StepContext, 'signal'>): Promise<Host> =>
      hosts.open(serverId, step, []),

    /** As of every host; where a directory is somebody else's, `Conflict` says so. */
    runJob: (host: ReachedHost, step: StepContext, job: HostJob): Promise<JobResult> =>
      hosts.runJob(host, step, { failed: foreignFailure, ...job }),

    /**
     * One with the SQL engine's tools, which takes their login on its standard input and may be run again from its start:
     * `Unavailable` when it has lost its SQL server.
     */
    async runSqlJob(
      host: ReachedHost,
      step: StepContext,
      job: Pick<HostJob, 'script' | 'timeoutMs'>,
    ): Promise<JobResult> {
      const { server } = host;
      const input = dumpLogin(server, await secrets.reveal(server.sqlPassword));
      const failed = (exit: FailedExit) => foreignFailure(exit) ?? sqlLost(exit);
      return hosts.runJob(host, step, { ...job, input, failed });
    },

    /** Text of the product's current `.env.example`; `CommandFailed` where no code was brought to the server yet. */
    async readExample(host: ReachedHost, path: string, step: StepContext): Promise<string> {
      const file = `${host.server.baseDir}/${path}`;
      const hint = "bring the product's code to the server (a build does), then retry";
      const failed = unreadable(host, file, { hint });
      return (await hosts.look(host, step, sh`cat -- ${file}`, { failed })).stdout;
    },

    /** Text of a file of a client's. */
    async readText(host: ReachedHost, file: string, step: StepContext): Promise<string> {
      return (await hosts.look(host, step, sh`cat -- ${file}`, { failed: unreadable(host, file) })).stdout;
    },

    async revealAll(ids: ClientThing['names']['secrets']): Promise<ClientFilesInput['secrets']> {
      const [databasePassword, clientToken, applicationKey] = await Promise.all(
        [ids.databasePassword, ids.clientToken, ids.applicationKey].map((id) => secrets.reveal(id)),
      );
      return { databasePassword, clientToken, applicationKey } as ClientFilesInput['secrets'];
    },

    /** The client's directory with these files, all at once or not at all; `Conflict` where somebody else has it. */
    async writeFiles(host: Host, { thing, files }: WrittenFiles, step: StepContext): Promise<void> {
      const { names } = thing;
      const { envGid } = loadProfile(names.product);
      const script = writeFilesScript({ thing, files, envGid, docker: host.facts.docker });
      await hosts.run(host, step, script, {
        what: `writing ${names.directory}`,
        input: files.map((file) => file.content).join(''),
        failed: ({ exitCode }) =>
          exitCode === FOREIGN_EXIT
            ? failure(
                'Conflict',
                `${names.directory} on ${nameOf(host.server)} is already there and not ours`,
              )
            : undefined,
      });
    },
  };
}

/** What a script says of a directory that is somebody else's; undefined: it speaks of something else. */
export function foreignFailure({ what, exitCode, output }: FailedExit): Error | undefined {
  return exitCode === FOREIGN_EXIT ? failure('Conflict', `${what}: ${output.trim()}`) : undefined;
}

function unreadable({ server }: ReachedHost, file: string, hint: { hint?: string } = {}) {
  return ({ output }: FailedExit) =>
    failure('CommandFailed', `${file} on ${nameOf(server)} cannot be read: ${output.trim()}`, hint);
}
