import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { labDir } from './config.js';
import { withLock } from '../process/lock.js';
import { isAlive, type ProcessId, processId } from '../process/process-id.js';
import { run } from '../process/run.js';

/** One directory per host, named by the last octet of its address: making it claims the address. */
export const hostsDir = join(labDir, 'hosts');
const BRIDGE = 'labbr';
export const GATEWAY = '10.77.0.1';
const removeScript = fileURLToPath(new URL('./machine/remove-host.sh', import.meta.url));

/** Below 11 are the gateway and room for a test's own peers; above 250 is room for broadcast and mistakes. */
const OCTETS = Array.from({ length: 240 }, (_, index) => 11 + index);

export function addressOf(octet: number): string {
  return `10.77.0.${octet}`;
}

/** Claims an address for this process; sweeps first, so that a killed run's addresses are free again. */
export async function claimAddress(wanted?: string): Promise<{ dir: string; octet: number }> {
  return withLock(join(labDir, 'lock'), async () => {
    await sweepLocked();
    await ensureBridge();
    const octets = wanted === undefined ? OCTETS : [Number(wanted.split('.').at(-1))];
    const octet = octets.find((candidate) => !existsSync(join(hostsDir, `${candidate}`)));
    if (octet === undefined)
      throw new Error(`lab address ${wanted ?? '10.77.0.0/24'} is taken, see ${hostsDir}`);
    if (wanted !== undefined && wanted !== addressOf(octet))
      throw new Error(`${wanted} is not in 10.77.0.0/24`);
    const dir = join(hostsDir, `${octet}`);
    await mkdir(dir, { recursive: true });
    await recordOwner(dir);
    return { dir, octet };
  });
}

/** Whoever prepares a host owns its directory until the supervisor takes over. */
export async function recordOwner(dir: string): Promise<void> {
  await writeFile(join(dir, 'owner.json'), JSON.stringify(processId(process.pid)));
}

export async function recordSupervisor(dir: string, supervisor: ProcessId): Promise<void> {
  await writeFile(join(dir, 'supervisor.json'), JSON.stringify(supervisor));
}

async function readSupervisor(dir: string): Promise<ProcessId | undefined> {
  return readProcess(join(dir, 'supervisor.json'));
}

/** Removes what hosts of dead processes left: mounts, namespaces, links, control groups, files. Answers how many. */
export async function sweepHosts(): Promise<number> {
  if (!existsSync(hostsDir)) return 0;
  return withLock(join(labDir, 'lock'), async () => {
    const swept = await sweepLocked();
    if ((await readdir(hostsDir)).length === 0) await run('ip', ['link', 'del', BRIDGE], { check: false });
    return swept;
  });
}

/** Also after a host whose supervisor has cleaned up by itself; safe to run twice. */
export async function removeHostFiles(dir: string): Promise<void> {
  const octet = /^\d+$/.test(basename(dir)) ? basename(dir) : 'template';
  await run('bash', [removeScript, dir, octet]);
}

async function sweepLocked(): Promise<number> {
  await mkdir(hostsDir, { recursive: true });
  let swept = 0;
  for (const name of await readdir(hostsDir)) {
    const dir = join(hostsDir, name);
    if (await isInUse(dir)) continue;
    await removeHostFiles(dir);
    swept += 1;
  }
  const { stdout } = await run('ip', ['netns', 'list']);
  for (const [, octet] of stdout.matchAll(/^slipway-(\d+)\b/gm)) {
    const dir = join(hostsDir, `${octet}`);
    if (existsSync(dir)) continue;
    await removeHostFiles(dir);
    swept += 1;
  }
  return swept;
}

async function isInUse(dir: string): Promise<boolean> {
  const supervisor = await readSupervisor(dir);
  if (supervisor) return isAlive(supervisor);
  const owner = await readProcess(join(dir, 'owner.json'));
  if (owner) return isAlive(owner);
  // Between mkdir and its owner's note lie microseconds; 10 s allow for a stopped process.
  const made = await stat(dir).catch(() => undefined);
  return made !== undefined && Date.now() - made.mtimeMs < 10_000;
}

async function readProcess(file: string): Promise<ProcessId | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessId;
  } catch {
    return undefined;
  }
}

async function ensureBridge(): Promise<void> {
  if (existsSync(`/sys/class/net/${BRIDGE}`)) return;
  await run('ip', ['link', 'add', BRIDGE, 'type', 'bridge']);
  await run('ip', ['addr', 'add', `${GATEWAY}/24`, 'dev', BRIDGE]);
  await run('ip', ['link', 'set', BRIDGE, 'up']);
}
