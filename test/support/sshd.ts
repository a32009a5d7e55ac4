import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { fingerprint, makePrivateKey, publicKeyLine } from '../../activities/ssh/keys.js';
import { diesWithParent } from '../../process/dies-with-parent.js';
import { freePort } from '../../process/free-port.js';
import { pollUntil } from '../../process/poll.js';

export interface TestSshd {
  port: number;
  /** `SHA256:…` of its ed25519 key */
  hostKey: string;
  pid: number;
  /** sshd processes of logged-in connections, as they are now */
  sessions(): number[];
  /** KILL to the listener and to every session, as a crash would */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface SshdOptions {
  /** who may log in, as root */
  privateKey: string;
  /** PEM of the host key, to start again as the same host */
  hostPrivateKey?: string;
  port?: number;
  /** more lines for sshd_config, before the others (the first one counts) */
  config?: string[];
}

/** A real sshd on a free loopback port, with a host key of its own; the kernel ends it with this process. */
export async function startSshd(options: SshdOptions): Promise<TestSshd> {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-sshd-'));
  const port = options.port ?? (await freePort());
  const hostPrivateKey = options.hostPrivateKey ?? makePrivateKey();
  writeFileSync(join(directory, 'host_key'), hostPrivateKey, { mode: 0o600 });
  writeFileSync(join(directory, 'authorized_keys'), `${publicKeyLine(options.privateKey)}\n`, {
    mode: 0o600,
  });
  writeFileSync(join(directory, 'config'), configuration(directory, port, options.config ?? []));
  // where sshd keeps its unprivileged half; there is no service manager to make it
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const [program = '', ...args] = diesWithParent('KILL', [
    '/usr/sbin/sshd',
    '-D',
    '-e',
    '-f',
    join(directory, 'config'),
  ]);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const said: string[] = [];
  child.stderr?.on('data', (text: Buffer) => said.push(text.toString()));
  await pollUntil({
    what: `sshd listens on ${port}: ${said.join('')}`,
    deadlineMs: 20_000,
    probe: () => answers(port),
  });
  const pid = child.pid ?? 0;
  const end = async (signal: NodeJS.Signals) => {
    for (const session of sshdsBelow(pid)) kill(session, signal);
    await endChild(child, signal);
    rmSync(directory, { recursive: true, force: true });
  };
  return {
    port,
    hostKey: fingerprint(publicKeyOf(hostPrivateKey)),
    pid,
    sessions: () => sshdsBelow(pid),
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}

function configuration(directory: string, port: number, lines: string[]): string {
  return [
    ...lines,
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${directory}/host_key`,
    `AuthorizedKeysFile ${directory}/authorized_keys`,
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
    'LogLevel ERROR',
    // bash reads ~/.bashrc for every exec; what this machine's root keeps there is no part of a test
    `SetEnv HOME=${directory}`,
    '',
  ].join('\n');
}

function publicKeyOf(privateKey: string): Buffer {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return key.getPublicSSH();
}

async function answers(port: number): Promise<true | undefined> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'data');
    return true;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

/** The jobs and scripts of a session are not sshd: a crash of sshd leaves them to themselves. */
function sshdsBelow(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
  return children
    .filter((child) => read(`/proc/${child}/comm`).startsWith('sshd'))
    .flatMap((child) => [child, ...sshdsBelow(child)]);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended meanwhile
  }
}

async function endChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
