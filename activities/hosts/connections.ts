import type { servers } from '../../db/schema/index.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { Ssh, SshTarget } from '../ssh/types.js';

export type Server = typeof servers.$inferSelect;

export interface OutputChunk {
  job: string;
  /** bytes of the job's output before this chunk */
  offset: number;
  /** bytes of it including this chunk */
  end: number;
  text: string;
}

/** What reaches a server needs from the outside. `get` and `reveal` of something absent are `NotFound`. */
export interface HostConnections {
  servers: { get(id: number): Promise<Server> };
  secrets: { reveal(id: string): Promise<string> };
  ssh: Ssh;
  /** where the raw output of a step's remote commands goes */
  output(step: StepContext): (chunk: OutputChunk) => Promise<void>;
}

/** Where an SQL engine is, and as whom to log in there. */
export type SqlAddress = Pick<Server, 'name' | 'host' | 'sqlEngine' | 'sqlPort' | 'sqlUser'>;

/** Where a server is reached, by its pinned key only; one without a key was never confirmed (`HostKeyMismatch`). */
export function targetOf(server: Server): SshTarget {
  if (server.sshHostKey === null)
    throw failure('HostKeyMismatch', `server ${nameOf(server)} has no pinned host key`, {
      hint: 'run check_host and store the fingerprint as ssh_host_key',
    });
  return {
    host: server.host,
    port: server.sshPort,
    user: server.sshUser,
    hostKey: server.sshHostKey,
    baseDir: server.baseDir,
  };
}

/** `web-3 (10.0.0.3)`: how failures name a server. */
export function nameOf(server: Pick<Server, 'name' | 'host'>): string {
  return `${server.name} (${server.host})`;
}
