import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type LabHost, type LabHostRecord, startLabHost } from '../../lab/host.js';
import { sweepHosts } from '../../lab/host-files.js';
import { pollUntil } from '../../process/poll.js';
import { isAlive, sendSignal } from '../../process/process-id.js';
import { labAvailability } from '../../lab/tools.js';
import { makeSshKey, type SshKey } from './ssh-command.js';

const available = await labAvailability();
const log = (line: string): void => console.log(line);
const ownerScript = fileURLToPath(new URL('./abandoned-owner.ts', import.meta.url));

describe('the life of lab hosts', { skip: available.ok ? false : available.reason }, () => {
  let key: SshKey;
  const owners: ChildProcess[] = [];
  before(async () => {
    key = await makeSshKey();
  });
  after(async () => {
    for (const owner of owners) owner.kill('SIGKILL');
    await key?.remove();
  });

  async function startInAnotherProcess(name: string): Promise<{ owner: ChildProcess; host: LabHostRecord }> {
    const args = ['--import', 'tsx', ownerScript, name, key.publicKey];
    const owner = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    owners.push(owner);
    if (!owner.stdout) throw new Error('no output of the owner');
    const [line] = (await once(createInterface({ input: owner.stdout }), 'line')) as [string];
    return { owner, host: JSON.parse(line) as LabHostRecord };
  }

  it('hosts of several processes start at the same time, and reach each other', async () => {
    const options = { sql: 'mariadb', compose: 'v2', authorizedKey: key.publicKey, log } as const;
    const [{ owner, host: theirs }, mine] = await Promise.all([
      startInAnotherProcess('theirs'),
      startLabHost({ ...options, name: 'mine' }),
    ]);
    assert.notEqual(mine.address, theirs.address);
    const banner = `exec 3<>/dev/tcp/${theirs.address}/22; head -c 4 <&3`;
    assert.equal((await mine.exec(banner)).stdout, 'SSH-');
    const mounts = (await mine.exec('cat /proc/mounts')).stdout;
    assert.equal(mounts.includes(theirs.dir), false);
    owner.kill('SIGKILL');
    await isGone(theirs);
    await mine.stop();
  });

  it('a host whose owner is killed removes itself', async () => {
    const { owner, host } = await startInAnotherProcess('abandoned');
    owner.kill('SIGKILL');
    await isGone(host);
  });

  it('a host whose supervisor is killed too is swept', async () => {
    const { owner, host } = await startInAnotherProcess('orphaned');
    sendSignal(host.supervisor, 'SIGKILL');
    owner.kill('SIGKILL');
    await pollUntil({
      what: 'its processes are gone',
      deadlineMs: 10_000,
      probe: () => (isAlive(host.supervisor) ? undefined : true),
    });
    assert.ok(existsSync(host.dir));
    assert.ok((await sweepHosts()) >= 1);
    await isGone(host);
  });

  it('an address goes to another host at once, and the end of the one before does not touch it', async () => {
    const options = { sql: 'mariadb', compose: 'v2', authorizedKey: key.publicKey, log } as const;
    const first = await startLabHost({ ...options, name: 'first' });
    const ending = first.stop();
    const second = await pollUntil({
      what: 'the address is free again',
      deadlineMs: 30_000,
      everyMs: 1,
      probe: () => startLabHost({ ...options, name: 'second', address: first.address }),
    });
    await ending;
    assert.equal((await second.exec('hostname')).stdout.trim(), 'second');
    await second.waitUntilReady();
    await second.stop();
  });

  it('fills a small disk', async () => {
    let host: LabHost | undefined;
    try {
      const options = {
        name: 'small',
        sql: 'mariadb',
        compose: 'v2',
        authorizedKey: key.publicKey,
        log,
      } as const;
      host = await startLabHost({ ...options, srvSizeMb: 4 });
      await assert.rejects(key.ssh(host, 'head -c 8M /dev/zero > /srv/www/big'), /No space left/);
      await host.reboot();
      assert.match(
        await key.ssh(host, 'stat -c "%U %a" /srv/docker/clients; ls /srv/www'),
        /www-data 775\nbig/,
      );
    } finally {
      await host?.stop();
    }
  });
});

async function isGone(host: LabHostRecord): Promise<void> {
  await pollUntil({
    what: `${host.dir} is removed`,
    deadlineMs: 10_000,
    probe: () => (existsSync(host.dir) ? undefined : true),
  });
  assert.equal((await readFile('/proc/self/mountinfo', 'utf8')).includes(`${host.dir}/`), false);
  assert.equal(existsSync(`/run/netns/slipway-${host.address.split('.')[3]}`), false);
}
