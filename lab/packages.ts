import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../process/lock.js';
import type { Log } from '../process/log.js';
import { labDir } from './config.js';
import { hostsDir, sweepHosts } from './host-files.js';
import { run } from '../process/run.js';

/** What lab hosts are made of, by Debian's names; versions are the distribution's. */
const PACKAGES = [
  'docker.io docker-compose openssh-server openssh-client nginx mariadb-server postgresql',
  'certbot python3-certbot-nginx python3-venv supervisor iptables busybox-static git sudo iproute2',
  'util-linux procps',
].flatMap((line) => line.split(' '));

/** Only tests need it, and its 124 MB are more than all the others have: a quickstart does not wait for it. */
const BROWSER = ['chromium'];

const POLICY = '/usr/sbin/policy-rc.d';
const NO_STARTS = '#!/bin/sh\n# of a Slipway lab, while it installs packages\nexit 101\n';
/** A new machine installs its own updates for some minutes, and holds dpkg's lock meanwhile. */
const WAIT_FOR_DPKG = ['-o', 'DPkg::Lock::Timeout=600'];

export async function missingPackages(packages = PACKAGES): Promise<string[]> {
  const query = ['-W', '-f', '${Package} ${db:Status-Status}\\n', ...packages];
  const { code, stdout, stderr } = await run('dpkg-query', query, { check: false });
  // 1: some are unknown, which is an answer; above it there is none, as when Ctrl-C ends the query.
  if (code > 1) throw new Error(`dpkg-query: exit ${code} ${stderr}`);
  const installed = new Set(stdout.split('\n').filter((line) => line.endsWith(' installed')));
  return packages.filter((name) => !installed.has(`${name} installed`));
}

/** Name and version of each package, for whoever keeps something made of them. */
export async function installedVersions(): Promise<string> {
  const query = ['-W', '-f', '${Package} ${Version}\\n', ...PACKAGES];
  return (await run('dpkg-query', query, { check: false })).stdout;
}

/** Installs what is missing without starting any of it. */
export async function ensurePackages(log: Log, packages = PACKAGES): Promise<void> {
  const missing = await missingPackages(packages);
  if (missing.length === 0) return;
  await refuseUnderHosts(missing);
  log(`installing ${missing.length} Debian packages: ${missing.join(' ')}`);
  await withoutServiceStarts(async () => {
    const onLine = aptProgress(log);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
    const options = ['-y', '-q', '--no-install-recommends', ...WAIT_FOR_DPKG];
    const install = () => run('apt-get', ['install', ...options, ...missing], { env, onLine });
    await run('apt-get', ['update', '-q'], { env, onLine });
    await install().catch(async (error: Error) => {
      // An installation that was interrupted, such as by Ctrl-C, keeps apt-get from any other.
      if (!error.message.includes('dpkg --configure -a')) throw error;
      await run('dpkg', ['--configure', '-a'], { env, onLine });
      await install();
    });
  });
  log('Debian packages installed');
}

/** `/usr/bin/chromium`. As with the others, no host may run while it is installed. */
export async function ensureBrowser(log: Log): Promise<void> {
  await withLock(join(labDir, 'packages.lock'), () => ensurePackages(log, BROWSER));
}

/** What it downloads, what it waits for, and one step in ten: enough to see it move. */
function aptProgress(log: Log): (line: string) => void {
  let steps = 0;
  let last = '';
  return (line) => {
    const again = line === last;
    last = line;
    const step = /^(Get:|Unpacking|Setting up)/.test(line);
    if (step ? steps++ % 10 === 0 : /^(Need to get|Waiting for)/.test(line) && !again) log(`  ${line}`);
  };
}

/** An overlay's lower layer must not change while it is mounted. */
async function refuseUnderHosts(missing: string[]): Promise<void> {
  await sweepHosts();
  const hosts = existsSync(hostsDir) ? await readdir(hostsDir) : [];
  if (hosts.length === 0) return;
  throw new Error(
    `${missing.join(' ')} must be installed, but ${hosts.length} lab hosts run over this file system: run lab/down.ts first`,
  );
}

/** invoke-rc.d asks this file; 101 means "do not". Another's file is the machine's own answer; ours is of a killed run. */
async function withoutServiceStarts(install: () => Promise<void>): Promise<void> {
  const before = await readFile(POLICY, 'utf8').catch(() => NO_STARTS);
  if (before !== NO_STARTS) return install();
  await writeFile(POLICY, NO_STARTS, { mode: 0o755 });
  try {
    await install();
  } finally {
    await rm(POLICY, { force: true });
  }
}
