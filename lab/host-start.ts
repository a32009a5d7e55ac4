import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diesWithParent } from '../process/dies-with-parent.js';
import { addressOf, GATEWAY, recordSupervisor } from './host-files.js';
import { type ProcessId, processId } from '../process/process-id.js';
import { run } from '../process/run.js';
import type { Template } from './template.js';

const superviseScript = fileURLToPath(new URL('./machine/supervise-host.sh', import.meta.url));
/** Debian's fixed ids of www-data. */
const WWW_DATA = 33;

interface CopyTemplate {
  template: Template;
  dir: string;
  octet: number;
  name: string;
  compose: 'v1' | 'v2';
  authorizedKey: string;
}

/** Makes a host's own layer; answers its new host key. */
export async function copyTemplate(
  options: CopyTemplate,
): Promise<{ fingerprint: string; publicKey: string }> {
  const { template, dir, octet, name, compose, authorizedKey } = options;
  const upper = join(dir, 'upper');
  for (const empty of ['work', 'root', 'srv']) await mkdir(join(dir, empty));
  await run('cp', ['-a', '--reflink=auto', join(template.dir, 'upper'), join(template.dir, 'docker'), dir]);

  await writeFile(join(upper, 'etc/hostname'), `${name}\n`);
  const hosts = `127.0.0.1 localhost\n::1 localhost ip6-localhost\n${addressOf(octet)} ${name}\n${GATEWAY} gateway\n`;
  await writeFile(join(upper, 'etc/hosts'), hosts);
  const keys = join(upper, 'var/www/.ssh/authorized_keys');
  await writeFile(keys, `${authorizedKey.trim()}\n`, { mode: 0o600 });
  await chown(keys, WWW_DATA, WWW_DATA);
  await writeFile(join(upper, 'etc/docker/daemon.json'), `${JSON.stringify(dockerConfig(octet), null, 2)}\n`);
  if (compose === 'v1') {
    await rm(join(upper, 'usr/libexec/docker/cli-plugins/docker-compose'));
  } else {
    await mkdir(join(upper, 'usr/bin'), { recursive: true });
    await chmod(join(upper, 'usr/bin'), 0o755);
    // Device 0:0 is overlayfs' "not here": Debian's docker-compose is hidden.
    await run('mknod', [join(upper, 'usr/bin/docker-compose'), 'c', '0', '0']);
  }
  return makeHostKey(join(upper, 'etc/ssh/ssh_host_ed25519_key'), name);
}

/** Networks away from the lab's 10.77.0.0/24 and the clients' 10.213.0.0/16; control groups where `stop` finds them. */
function dockerConfig(octet: number) {
  return {
    bip: '172.30.0.1/24',
    'default-address-pools': [{ base: '172.31.0.0/16', size: 24 }],
    'cgroup-parent': `/slipway-lab/${octet}`,
  };
}

async function makeHostKey(file: string, name: string) {
  await rm(file, { force: true }); // the mark that hides the machine's own key
  await rm(`${file}.pub`, { force: true });
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
  const [type = '', blob = ''] = (await readFile(`${file}.pub`, 'utf8')).split(' ');
  const digest = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64');
  return { fingerprint: `SHA256:${digest.replace(/=+$/, '')}`, publicKey: `${type} ${blob}` };
}

interface SuperviseHost {
  dir: string;
  octet: number;
  plugin: string;
  srvSizeMb: number;
  detached: boolean;
}

/** Starts the process that keeps the host running and removes it at the end, its own or this process'. */
export async function superviseHost({
  dir,
  octet,
  plugin,
  srvSizeMb,
  detached,
}: SuperviseHost): Promise<ProcessId> {
  const owner = detached ? 0 : process.pid;
  const command = ['bash', superviseScript, dir, `${owner}`, `${octet}`, plugin, `${srvSizeMb}`];
  const [program = 'bash', ...args] = detached ? command : diesWithParent('TERM', command);
  const sink = await open(join(dir, 'supervisor.log'), 'a');
  // A session of its own: Ctrl-C is for the owner.
  const child = spawn(program, args, { stdio: ['ignore', sink.fd, sink.fd], detached: true, cwd: '/' });
  await once(child, 'spawn');
  await sink.close();
  child.unref();
  const supervisor = processId(child.pid as number);
  await recordSupervisor(dir, supervisor);
  return supervisor;
}
