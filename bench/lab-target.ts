import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSsh } from '../activities/ssh/ssh.js';
import type { Ssh, SshTarget } from '../activities/ssh/types.js';
import type { Log } from '../process/log.js';
import { type LabHost, startLabHost } from '../lab/host.js';
import { run } from '../process/run.js';
import type { Closers } from './benchmark.js';

export interface LabTarget {
  host: LabHost;
  keyFile: string;
  privateKey: string;
  target: SshTarget;
  /** Slipway's own layer */
  ssh: Ssh;
  description: string;
}

/** One lab host, and a key for it. */
export async function startLabTarget(dir: string, log: Log, closers: Closers): Promise<LabTarget> {
  const keyFile = join(dir, 'ssh-key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'slipway-bench', '-f', keyFile]);
  const [privateKey, authorizedKey] = await Promise.all([
    readFile(keyFile, 'utf8'),
    readFile(`${keyFile}.pub`, 'utf8'),
  ]);
  const name = `bench${process.pid}`;
  const host = await startLabHost({ name, sql: 'mariadb', compose: 'v2', authorizedKey, log });
  closers.push(() => host.stop());
  const ssh = createSsh({ privateKey });
  closers.push(() => ssh.close());
  const target: SshTarget = {
    host: host.address,
    port: host.sshPort,
    user: host.sshUser,
    hostKey: host.hostKey.fingerprint,
    baseDir: '/srv',
  };
  const home = (await host.exec(`ls -A ~${host.sshUser} | tr '\\n' ' '`)).stdout.trim();
  return { host, keyFile, privateKey, target, ssh, description: `${host.sshUser}, HOME with ${home}` };
}
