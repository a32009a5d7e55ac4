import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabHost } from '../../lab/host.js';
import { run } from '../../process/run.js';

export interface SshKey {
  publicKey: string;
  /** runs a bash script over OpenSSH, the host key checked against the one that the lab names */
  ssh(host: LabHost, script: string): Promise<string>;
  remove(): Promise<void>;
}

/** A key of its own for one test file. */
export async function makeSshKey(): Promise<SshKey> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-ssh-'));
  const file = join(dir, 'key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  return {
    publicKey: await readFile(`${file}.pub`, 'utf8'),
    async ssh(host, script) {
      const known = join(dir, 'known_hosts');
      await writeFile(known, `${host.address} ${host.hostKey.publicKey}\n`);
      const options = [
        'BatchMode=yes',
        'StrictHostKeyChecking=yes',
        `UserKnownHostsFile=${known}`,
        'ConnectTimeout=5',
      ];
      const args = ['-F', 'none', '-i', file, ...options.flatMap((option) => ['-o', option])];
      const { stdout } = await run('ssh', [...args, `${host.sshUser}@${host.address}`, 'bash', '-s'], {
        input: script,
      });
      return stdout.trim();
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
