import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import type { Log } from './config.js';
import { hostsDir, sweepHosts } from './host-files.js';
import { run } from './run.js';

/** What lab hosts are made of, by Debian's names; versions are the distribution's. */
const PACKAGES = [
  'docker.io docker-compose openssh-server openssh-client nginx mariadb-server postgresql',
  'certbot python3-certbot-nginx supervisor iptables busybox-static git sudo iproute2 util-linux procps',
].flatMap((line) => line.split(' '));

const POLICY = '/usr/sbin/policy-rc.d';

export async function missingPackages(packages = PACKAGES): Promise<string[]> {
  const query = ['-W', '-f', '${Package} ${db:Status-Status}\\n', ...packages];
  const { stdout } = await run('dpkg-query', query, { check: false });
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
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update', '-q'], { env });
    const install = ['install', '-y', '-q', '--no-install-recommends', ...missing];
    let done = 0;
    await run('apt-get', install, {
      env,
      onLine: (line) => {
        // One line in ten: enough to see it move.
        if (line.startsWith('Setting up') && done++ % 10 === 0) log(`  ${line}`);
      },
    });
  });
  log('Debian packages installed');
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

/** invoke-rc.d asks this file; 101 means "do not". A file that is there already is the machine's own answer. */
async function withoutServiceStarts(install: () => Promise<void>): Promise<void> {
  if (existsSync(POLICY)) return install();
  await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await install();
  } finally {
    await rm(POLICY, { force: true });
  }
}
