import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { LabHost } from '../../lab/host.js';

/** Ends, on the host, the sshd processes of a process's connections: no word of goodbye, everybody else's stay. */
export async function cutConnections(host: LabHost, pid: number): Promise<number> {
  const ports = localPorts(host, pid);
  const script = SCRIPT.replace('PORTS', ports.join(', '));
  const { stdout } = await host.exec('exec python3 -', { input: script });
  return Number(stdout.trim());
}

/** Local ports of a process's TCP connections to the host's sshd. */
function localPorts(host: LabHost, pid: number): number[] {
  const sockets = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)));
  const remote = `${hexAddress(host.address)}:${hexPort(host.sshPort)}`;
  // an IPv4 connection of Node's may be listed in either table
  const lines = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1),
  );
  return lines.flatMap((line) => {
    const [, local = '', peer = '', , , , , , , inode] = line.trim().split(/\s+/);
    return peer.endsWith(remote) && sockets.has(`socket:[${inode}]`)
      ? [Number.parseInt(local.split(':')[1] ?? '', 16)]
      : [];
  });
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** As /proc/net/tcp writes them. */
function hexAddress(address: string): string {
  const bytes = address.split('.').reverse();
  return bytes
    .map((byte) => Number(byte).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
}

function hexPort(port: number): string {
  return port.toString(16).padStart(4, '0').toUpperCase();
}

const SCRIPT = `
import glob, os, signal
ports = {PORTS}
inodes = set()
for table in ('tcp', 'tcp6'):
    for line in open('/proc/net/' + table).readlines()[1:]:
        words = line.split()
        if words[1].endswith(':0016') and int(words[2].rsplit(':', 1)[1], 16) in ports: inodes.add('socket:[' + words[9] + ']')
killed = 0
for fd in glob.glob('/proc/[0-9]*/fd/*'):
    pid = int(fd.split('/')[2])
    try:
        if os.readlink(fd) in inodes and open('/proc/%d/comm' % pid).read().startswith('sshd'):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    except OSError: pass
print(killed)
`;
