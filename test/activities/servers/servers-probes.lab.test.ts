import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createProbes } from '../../../activities/servers/probes.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import type {
  CheckHostReport,
  ImageList,
  ProbeTarget,
  ServerLoad,
} from '../../../workflows/contract/servers/probes.js';
import { census } from '../../support/census.js';
import { type LabKind, type LabWorld, startLabWorld, VERSION } from '../clients/lab-client.js';

const kinds: LabKind[] = [
  { sql: 'mariadb', compose: 'v2' },
  { sql: 'postgres', compose: 'v1' },
];

for (const kind of kinds) {
  describe(`probes of a host with ${kind.sql} and compose ${kind.compose}`, { concurrency: false }, () => {
    let lab: LabWorld;
    const probe = <Result>(input: {
      kind: 'check_host' | 'load' | 'images';
      serverId?: number;
      target?: ProbeTarget;
    }) =>
      createProbes({ ...lab.connections, publicKey: 'ssh-ed25519 AAAA slipway' }).probeServer(
        input,
      ) as Promise<Result>;
    const target = (over: Partial<ProbeTarget> = {}): ProbeTarget => {
      const { host } = lab;
      return {
        host: host.address,
        sshPort: 22,
        sshUser: 'www-data',
        sshHostKey: null,
        sqlEngine: host.sqlEngine,
        sqlHost: host.address,
        sqlPort: host.sqlPort,
        sqlUser: host.sqlUser,
        sqlPassword: 'sql-password',
        domain: null,
        baseDir: '/srv',
        vhostDir: '/etc/nginx/conf.d',
        clientPool: '10.213.0.0/16',
        ...over,
      };
    };

    before(async () => {
      lab = await startLabWorld(kind);
    });
    after(() => lab?.stop());

    test('a ready host has a line for every requirement, within the time, and is left as it was', async () => {
      const earlier = await census(lab.host);
      const began = performance.now();
      const report = await probe<CheckHostReport>({ kind: 'check_host', serverId: 1 });
      console.error(`check_host: ${Math.round(performance.now() - began)} ms`);
      assert.ok(performance.now() - began < 5000);
      assert.equal(report.reachable, true);
      assert.equal(report.hostKey, lab.host.hostKey.fingerprint);
      assert.deepEqual(problems(report), ['warning dns'], JSON.stringify(report.lines, null, 1));
      const keys = report.lines.map((line) => line.key.split(':')[0]);
      for (const key of [
        'ssh',
        'bash',
        'git',
        'docker',
        'compose',
        'nginx',
        'certbot',
        'sql',
        'sql_container',
        'nvm',
        'node',
        'composer',
        'supervisor',
        'sudo_reboot',
        'directory',
        'writable',
        'disk',
      ]) {
        assert.ok(keys.includes(key), key);
      }
      assert.deepEqual(await census(lab.host), earlier);
      assert.equal((await lab.host.exec('find /srv /etc/nginx -name "*slipway-probe*"')).stdout, '');
    });

    test('what is missing is named with what mends it', async () => {
      await lab.host.exec(
        'chmod 755 /srv/git && chown root: /srv/backup/clients && chmod 755 /srv/backup/clients && sed -i /reboot/d /etc/sudoers.d/slipway && supervisorctl stop reverb',
      );
      const report = await probe<CheckHostReport>({ kind: 'check_host', target: target() });
      assert.deepEqual(problems(report).sort(), [
        'error directory:/srv/git',
        'error supervisor',
        'error writable:/srv/backup/clients',
        'warning sudo_reboot',
      ]);
      for (const line of report.lines) assert.equal(line.fix === '', line.ok, line.key);
    });

    test('a wrong key, a refused login, a changed host key and a dead host are reports too', async () => {
      await lab.host.exec('mv /var/www/.ssh/authorized_keys /var/www/.ssh/away');
      await lab.host.exec('lab-service restart ssh; pkill -x sshd -u www-data; true');
      const refused = await probe<CheckHostReport>({
        kind: 'check_host',
        target: target({ sshUser: 'nobody-there' }),
      });
      assert.equal(refused.reachable, false);
      assert.match(refused.lines[0]?.fix ?? '', /ssh-ed25519 AAAA slipway.*authorized_keys/);
      await lab.host.exec('mv /var/www/.ssh/away /var/www/.ssh/authorized_keys');
      const login = await probe<CheckHostReport>({
        kind: 'check_host',
        target: target({ sqlPassword: 'wrong' }),
      });
      assert.ok(problems(login).includes('error sql'));
      const changed = await probe<CheckHostReport>({
        kind: 'check_host',
        target: target({ sshHostKey: 'SHA256:other' }),
      });
      assert.deepEqual(
        [changed.reachable, changed.lines[0]?.key, changed.lines[0]?.found],
        [false, 'host_key', lab.host.hostKey.fingerprint],
      );
      const began = performance.now();
      const dead = await probe<CheckHostReport>({
        kind: 'check_host',
        target: target({ host: '10.77.0.9' }),
      });
      assert.equal(dead.reachable, false);
      assert.equal(dead.hostKey, null);
      assert.ok(performance.now() - began < 5000);
    });

    test('the load has figures of the host', async () => {
      const load = await probe<ServerLoad>({ kind: 'load', serverId: 1 });
      assert.ok(load.cpus >= 1 && load.uptimeSeconds > 0 && load.loadAverage.length === 3);
      assert.ok(load.memoryTotalBytes > load.memoryAvailableBytes && load.memoryAvailableBytes > 0);
      assert.ok(load.diskTotalBytes > load.diskFreeBytes && load.diskFreeBytes > 0);
      assert.match(load.dockerVersion ?? '', /^\d+\./);
      assert.equal(load.images, 2);
    });

    test('the images are the versions of the product, with what the build wrote on them', async () => {
      const { images } = await probe<ImageList>({ kind: 'images', serverId: 1 });
      assert.deepEqual(
        images.map(({ tag, branch }) => [tag, branch]),
        [[VERSION, 'master']],
      );
      assert.match(images[0]?.id ?? '', /^sha256:/);
      assert.match(images[0]?.commit ?? '', /^[0-9a-f]{40}$/);
      assert.ok((images[0]?.sizeBytes ?? 0) > 1_000_000);
    });

    test('an unknown server is NotFound', async () => {
      await assert.rejects(
        probe({ kind: 'load', serverId: 99 }),
        (error: Error) => kindOf(error) === 'NotFound',
      );
    });
  });
}

function problems({ lines }: CheckHostReport): string[] {
  return lines.filter((line) => !line.ok).map((line) => `${line.level} ${line.key}`);
}
