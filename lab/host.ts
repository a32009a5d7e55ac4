import { createReadStream, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../process/log.js';
import { askDocker } from './docker-socket.js';
import { addressOf, claimAddress, GATEWAY, removeHostFiles, sweepHosts } from './host-files.js';
import { dockerSocket, waitUntilReady } from './host-ready.js';
import { copyTemplate, superviseHost } from './host-start.js';
import { pollUntil } from '../process/poll.js';
import { endProcess, onlyChild, type ProcessId } from '../process/process-id.js';
import { run, type RunResult } from '../process/run.js';
import { ensureTemplate, type SqlEngine } from './template.js';
import { ensureHostTools } from './tools.js';

export interface StartLabHost {
  name: string;
  /** in 10.77.0.0/24; the next free one by default */
  address?: string;
  sql: SqlEngine;
  /** v1: Debian's docker-compose 1.29 and no plugin; v2: the plugin and no docker-compose */
  compose: 'v1' | 'v2';
  /** line for the SSH user's authorized_keys */
  authorizedKey: string;
  log: Log;
  /** /srv as a tmpfs of this size, for full disks */
  srvSizeMb?: number;
  /** `docker save` tars to load */
  images?: readonly string[];
  /** true: outlives this process, for `up` */
  detached?: boolean;
}

/** Plain data: what another process needs to take a running host over with `openLabHost`. */
export interface LabHostRecord {
  name: string;
  address: string;
  /** the machine as the host sees it */
  gateway: string;
  sshPort: number;
  sshUser: string;
  hostKey: { fingerprint: string; publicKey: string };
  sqlEngine: SqlEngine;
  sqlUser: string;
  sqlPassword: string;
  sqlPort: number;
  compose: 'v1' | 'v2';
  /** the host's file system as seen from the machine; without /run, /tmp and Docker's data */
  root: string;
  dir: string;
  /** keeps the host running; its end is the host's end */
  supervisor: ProcessId;
}

export interface LabHost extends LabHostRecord {
  /** bash script as root inside; throws on a non-zero exit unless `check` is false */
  exec(script: string, options?: { input?: string | Uint8Array; check?: boolean }): Promise<RunResult>;
  /** `docker save` tar into its engine */
  loadImage(tar: string): Promise<void>;
  /** path of its Docker engine's socket as seen from the machine; another one after each boot */
  dockerSocket(): string;
  bootId(): Promise<string>;
  /** orderly, as by `/sbin/reboot`; waits until everything answers again */
  reboot(): Promise<void>;
  /** as if the plug was pulled; stays down until `start` */
  kill(): Promise<void>;
  start(): Promise<void>;
  waitUntilReady(): Promise<void>;
  /** ends it and removes all of it from the machine */
  stop(): Promise<void>;
}

/** Starts a host of its own address, and answers when SSH, nginx, Docker and SQL do. It dies with this process unless detached. */
export async function startLabHost(options: StartLabHost): Promise<LabHost> {
  const { name, log, sql, compose } = options;
  const { composePlugin } = await ensureHostTools(log);
  const template = await ensureTemplate(sql, log);
  const began = performance.now();
  const { dir, octet } = await claimAddress(options.address);
  const address = addressOf(octet);
  let supervisor: ProcessId | undefined;
  try {
    const hostKey = await copyTemplate({
      template,
      dir,
      octet,
      name,
      compose,
      authorizedKey: options.authorizedKey,
    });
    const plugin = compose === 'v2' ? composePlugin : '-';
    supervisor = await superviseHost({
      dir,
      octet,
      plugin,
      srvSizeMb: options.srvSizeMb ?? 0,
      detached: options.detached ?? false,
    });
    const host = openLabHost({
      name,
      address,
      gateway: GATEWAY,
      sshPort: 22,
      sshUser: 'www-data',
      hostKey,
      sqlEngine: sql,
      sqlUser: 'slipway',
      sqlPassword: template.sqlPassword,
      sqlPort: sql === 'mariadb' ? 3306 : 5432,
      compose,
      dir,
      root: join(dir, 'root'),
      supervisor,
    });
    await host.waitUntilReady();
    for (const image of options.images ?? []) await host.loadImage(image);
    log(
      `lab host ${name} at ${address} (${sql}, compose ${compose}), ${Math.round(performance.now() - began)} ms`,
    );
    return host;
  } catch (error) {
    await stopHost(dir, supervisor).catch((failure) => log(`could not clean up ${dir}: ${failure}`));
    throw error;
  }
}

/** The handle of a running host, also one that another process has started. */
export function openLabHost(record: LabHostRecord): LabHost {
  const { dir, name } = record;
  const inside = (): string => `/proc/${guestInit(dir)}/root`;
  const socket = (): string => dockerSocket(inside());
  const exec: LabHost['exec'] = async (script, { input = '', check = true } = {}) => {
    const enter = [
      '--target',
      `${guestInit(dir)}`,
      '--mount',
      '--uts',
      '--ipc',
      '--net',
      '--pid',
      '--root',
      '--wd',
    ];
    const clean = ['env', '-i', 'HOME=/root', 'LANG=C.UTF-8', `PATH=${PATH}`];
    return run('nsenter', [...enter, ...clean, 'bash', '-c', script], { input, check });
  };
  const booted = (what: string, before?: number) =>
    pollUntil({
      what: `lab host ${name} ${what}`,
      deadlineMs: BOOT_MS,
      probe: () => {
        const init = guestInit(dir);
        return init === before ? undefined : init;
      },
    });
  const host: LabHost = {
    ...record,
    exec,
    dockerSocket: socket,
    async loadImage(tar) {
      await askDocker({
        socket: socket(),
        method: 'POST',
        path: '/images/load?quiet=1',
        body: createReadStream(tar),
      });
    },
    async bootId() {
      return (await exec('cat /proc/sys/kernel/random/boot_id')).stdout.trim();
    },
    async waitUntilReady() {
      await booted('boots');
      await waitUntilReady({ ...record, inside: inside() });
    },
    async reboot() {
      const before = guestInit(dir);
      await exec('/sbin/reboot');
      await booted('reboots', before);
      await host.waitUntilReady();
    },
    async kill() {
      await writeFile(join(dir, 'down'), '');
      process.kill(guestInit(dir), 'SIGKILL');
      const gone = () => (runsGuest(dir) ? undefined : true);
      await pollUntil({ what: `lab host ${name} is down`, deadlineMs: BOOT_MS, probe: gone });
    },
    async start() {
      await rm(join(dir, 'down'), { force: true });
      await host.waitUntilReady();
    },
    stop: () => stopHost(dir, record.supervisor),
  };
  return host;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** An orderly shutdown may take 3 s (guest/reboot.sh), the rest is a busy machine. */
const BOOT_MS = 30_000;
/** The supervisor kills, unmounts and deletes: a second, or a few when the disk is busy. */
const STOP_MS = 20_000;

/** Ends the host of this supervisor. Its address may have gone to another host by then, so the sweep decides what is left of ours. */
async function stopHost(dir: string, supervisor: ProcessId | undefined): Promise<void> {
  if (supervisor) await endProcess(supervisor, STOP_MS);
  // Never supervised: the claim on the directory is still this process' own.
  else await removeHostFiles(dir);
  await sweepHosts();
}

/** Machine's pid of the host's init; throws while it is down. */
function guestInit(dir: string): number {
  const unshare = Number(readFileSync(join(dir, 'guest'), 'utf8'));
  const init = onlyChild(unshare);
  if (init === undefined) throw new Error(`the lab host in ${dir} is not running`);
  return init;
}

function runsGuest(dir: string): boolean {
  try {
    return guestInit(dir) > 0;
  } catch {
    return false;
  }
}
