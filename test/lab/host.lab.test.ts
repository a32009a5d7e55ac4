import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import mysql from 'mysql2/promise';
import postgres from 'postgres';
import { type LabHost, startLabHost } from '../../lab/host.js';
import { pollUntil } from '../../process/poll.js';
import { run } from '../../process/run.js';
import { labAvailability } from '../../lab/tools.js';
import { census, traces } from '../support/census.js';
import { makeSshKey, type SshKey } from './ssh-command.js';

const available = await labAvailability();
const skip = available.ok ? false : available.reason;
const log = (line: string): void => console.log(line);

for (const [sql, compose] of [
  ['mariadb', 'v2'],
  ['postgres', 'v1'],
] as const) {
  describe(`a lab host with ${sql} and compose ${compose}`, { skip }, () => {
    let key: SshKey;
    let host: LabHost;

    before(async () => {
      key = await makeSshKey();
      host = await startLabHost({ name: `test-${sql}`, sql, compose, authorizedKey: key.publicKey, log });
    });
    after(async () => {
      await host?.stop();
      await key?.remove();
    });

    it('lets the SSH user in with the key and grants what the source demands', async () => {
      const checks = `
        id -un; hostname
        sudo -n nginx -t 2>&1 | tail -1
        for c in /usr/bin/docker /usr/sbin/nginx /usr/bin/certbot /sbin/reboot; do sudo -n -l $c; done
        for d in www git docker docker/clients; do stat -c '%U:%G %a' /srv/$d; done
        for d in /etc/nginx/conf.d /srv/slipway /srv/backup/clients; do touch $d/.probe && rm $d/.probe && echo writable; done
        . ~/.nvm/nvm.sh; node --version; composer --version; supervisorctl status reverb
        curl -s -o /dev/null -w '%{http_code}\\n' http://${host.address}/`;
      const lines = (await key.ssh(host, checks)).split('\n');
      const [user, name, nginx, ...rest] = lines;
      assert.deepEqual([user, name], ['www-data', host.name]);
      assert.match(nginx ?? '', /test is successful/);
      assert.deepEqual(rest.slice(0, 4), [
        '/usr/bin/docker',
        '/usr/sbin/nginx',
        '/usr/bin/certbot',
        '/sbin/reboot',
      ]);
      assert.deepEqual(rest.slice(4, 8), Array(4).fill('www-data:www-data 775'));
      assert.deepEqual(rest.slice(8, 11), Array(3).fill('writable'));
      assert.match(rest[11] ?? '', /^v\d+/);
      assert.match(rest[12] ?? '', /^Composer version/);
      assert.match(rest[13] ?? '', /RUNNING/);
      assert.equal(rest[14], '404');
    });

    it('has the wanted compose and not the other', async () => {
      const v1 = await host.exec('docker-compose version --short', { check: false });
      const v2 = await host.exec('docker compose version --short', { check: false });
      assert.deepEqual([v1.code === 0, v2.code === 0], compose === 'v1' ? [true, false] : [false, true]);
      assert.match(compose === 'v1' ? v1.stdout : v2.stdout, compose === 'v1' ? /^1\.29/ : /^2\./);
    });

    it('answers SQL to the backend, and to containers in the client pool', async () => {
      await (sql === 'mariadb' ? useMariadb(host) : usePostgres(host));
      // busybox has no SQL client: the host's own one goes into the container's network.
      const client =
        sql === 'mariadb'
          ? `mariadb -h ${host.address} -u pooled -psecret -N -e 'select 1'`
          : `psql -XAt postgres://pooled:secret@${host.address}/postgres -c 'select 1'`;
      const seen = await host.exec(`set -e
        docker network create --subnet 10.213.0.16/28 pool >/dev/null
        docker run -d --name sleeper --network pool busybox sleep 100 >/dev/null
        nsenter --net --target "$(docker inspect -f '{{.State.Pid}}' sleeper)" ${client}
        docker rm -f sleeper >/dev/null; docker network rm pool >/dev/null`);
      assert.equal(seen.stdout.trim(), '1');
    });

    it('runs an image that was loaded from a tar', async () => {
      await host.exec(
        'docker tag busybox tiny:1 && docker save -o /srv/www/tiny.tar tiny:1 && docker rmi tiny:1',
      );
      await host.loadImage(`${host.root}/srv/www/tiny.tar`);
      assert.equal(
        await key.ssh(host, 'docker run --rm tiny:1 echo hello; rm -f /srv/www/tiny.tar'),
        'hello',
      );
    });

    it('is counted by the census, exactly by name', async () => {
      const tool = compose === 'v1' ? 'docker-compose' : 'docker compose';
      await key.ssh(host, composeUp(tool));
      const began = performance.now();
      const found = await census(host);
      log(`census: ${Math.round(performance.now() - began)} ms`);
      const mine = traces(found, 'client1');
      assert.deepEqual(
        mine.map((line) => line.replace(/client1[-_]app[-_]1/, 'client1-app-1')),
        [
          'container client1-app-1',
          'network client1_default',
          'port 127.0.0.1:20001->80/tcp client1-app-1',
          'directory client1',
          'vhost client1.conf',
        ],
      );
      assert.deepEqual(traces(found, 'client10'), ['directory client10', 'vhost client10.conf']);
      assert.deepEqual(found.serverNames, ['acme.example.test']);
      await key.ssh(host, composeDown(tool));
      assert.deepEqual(traces(await census(host), 'client1'), []);
    });

    it('comes back from a reboot by its own user, with a new boot id and its data', async () => {
      await key.ssh(
        host,
        'touch /srv/www/kept; docker run -d --name kept --restart unless-stopped busybox sleep 1000',
      );
      const bootId = await host.bootId();
      await key.ssh(host, 'sudo -n /sbin/reboot');
      await pollUntil({
        what: 'another boot id',
        deadlineMs: 20_000,
        probe: async () => ((await host.bootId()) === bootId ? undefined : true),
      });
      await host.waitUntilReady();
      const cameBack = await pollUntil({
        what: 'the container runs again',
        deadlineMs: 20_000,
        probe: async () =>
          (await host.exec('docker ps -q --filter name=kept')).stdout.trim() ? true : undefined,
      });
      assert.ok(cameBack);
      assert.equal(await key.ssh(host, 'ls /srv/www; docker rm -f kept'), 'kept\nkept');
    });

    it('stays down after its plug is pulled, until it is started', async () => {
      const bootId = await host.bootId();
      await host.kill();
      await assert.rejects(host.bootId());
      await host.start();
      assert.notEqual(await host.bootId(), bootId);
      assert.equal(await key.ssh(host, 'echo in'), 'in');
    });

    it('leaves nothing when it is stopped', async () => {
      const processes = await processesInside(host);
      assert.ok(processes.length > 5);
      await key.ssh(host, 'docker run -d busybox sleep 1000');
      await host.stop();
      assert.equal(existsSync(host.dir), false);
      const mounts = await readFile('/proc/self/mountinfo', 'utf8');
      assert.equal(mounts.includes(`${host.dir}/`), false);
      const octet = host.address.split('.')[3];
      assert.equal((await run('ip', ['netns', 'list'])).stdout.includes(`slipway-${octet}`), false);
      assert.deepEqual(
        processes.filter((pid) => existsSync(`/proc/${pid}`)),
        [],
      );
      const groups = await run('find', ['/sys/fs/cgroup', '-path', `*/slipway-lab/${octet}*`], {
        check: false,
      });
      assert.equal(groups.stdout, '');
    });
  });
}

/** Machine's pids of all processes in the host's PID namespace. */
async function processesInside(host: LabHost): Promise<string[]> {
  const init = (
    await run('pgrep', ['-P', (await readFile(`${host.dir}/guest`, 'utf8')).trim()])
  ).stdout.trim();
  const { stdout } = await run('pgrep', ['--ns', init, '--nslist', 'pid', '']);
  return stdout.trim().split('\n');
}

async function useMariadb({ address, sqlUser: user, sqlPassword: password }: LabHost): Promise<void> {
  const sql = await mysql.createConnection({ host: address, user, password, multipleStatements: true });
  await sql.query(`create database lab1 comment 'slipway:op'; create user lab1@'10.213.0.16/255.255.255.240' identified by 'x';
    grant all privileges on lab1.* to lab1@'10.213.0.16/255.255.255.240'; drop user lab1@'10.213.0.16/255.255.255.240'; drop database lab1;
    create user pooled@'10.213.0.16/255.255.255.240' identified by 'secret'`);
  await sql.end();
}

async function usePostgres({ address, sqlUser: user, sqlPassword: password }: LabHost): Promise<void> {
  const sql = postgres({
    host: address,
    user,
    password,
    database: 'postgres',
    max: 1,
    onnotice: () => undefined,
  });
  await sql`create role lab1 login password 'x'`;
  await sql`grant lab1 to slipway`;
  await sql`create database lab1 owner lab1`;
  await sql`revoke connect, temporary on database lab1 from public`;
  await sql`drop database lab1 with (force)`;
  await sql`drop role lab1`;
  await sql`create role pooled login password 'secret'`;
  const [role] = await sql`select rolsuper from pg_roles where rolname = current_user`;
  assert.equal(role?.['rolsuper'], false);
  await sql.end();
}

function composeUp(tool: string): string {
  return `set -e
    mkdir -p /srv/docker/clients/client1 /srv/docker/clients/client10; cd /srv/docker/clients/client1
    printf 'services:\\n  app:\\n    image: busybox\\n    command: sleep 1000\\n    ports: ["127.0.0.1:20001:80"]\\n' > docker-compose.yml
    printf 'version: "3"\\n' | cat - docker-compose.yml > x && mv x docker-compose.yml
    ${tool} up -d >/dev/null 2>&1
    echo 'server { listen 80; server_name acme.example.test; }' > /etc/nginx/conf.d/client1.conf
    touch /etc/nginx/conf.d/client10.conf; sudo -n nginx -t 2>/dev/null`;
}

function composeDown(tool: string): string {
  return `cd /srv/docker/clients/client1 && ${tool} down -t 0 >/dev/null 2>&1; rm -rf /srv/docker/clients/* /etc/nginx/conf.d/*`;
}
