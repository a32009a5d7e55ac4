import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { pollUntil } from '../../../process/poll.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { jobKey } from '../../../workflows/contract/operation/step.js';
import { census, traces } from '../../support/census.js';
import {
  addClient,
  createWhole,
  type LabClient,
  type LabWorld,
  startLabWorld,
  undoWhole,
} from './lab-client.js';

function rejects(promise: Promise<unknown>, kind: string, message: RegExp): Promise<void> {
  return assert.rejects(promise, (error: Error) => {
    assert.equal(kindOf(error), kind, error.message);
    assert.match(error.message, message);
    return true;
  });
}

describe('a client on a real host, when something is in the way', { concurrency: false }, () => {
  let lab: LabWorld;
  let nextId = 50;

  before(async () => {
    lab = await startLabWorld({ sql: 'postgres', compose: 'v2', srvSizeMb: 260 });
  });
  after(() => lab?.stop());
  // one test's mistake is not the next one's
  afterEach(() => lab.host.exec('rm -f /srv/filler'));

  const newClient = (over = {}): LabClient => {
    nextId += 1;
    return addClient(lab, nextId, over);
  };
  const survey = (client: LabClient) => lab.docker.surveyHost(client.thing, client.step('check-host'));
  const left = async (client: LabClient) => traces(await census(lab.host), client.thing.names.name);
  const outputOf = (key: string) => {
    const chunks = new Map(
      lab.world.output
        .filter(({ chunk }) => chunk.job === key)
        .map(({ chunk }) => [chunk.offset, chunk.text]),
    );
    return [...chunks]
      .sort(([a], [b]) => a - b)
      .map(([, text]) => text)
      .join('');
  };
  /** everything up to the running container */
  const createContainers = async (client: LabClient) => {
    await lab.sql.ensureDatabase(client.thing, client.step('database'));
    await lab.docker.writeClientFiles(client.thing, client.step('files'));
    await lab.docker.startContainers(client.thing, client.step('container'));
  };
  const setEnv = (client: LabClient, line: string) =>
    lab.host.exec(
      `cd ${client.thing.names.directory} && sed -i 's/^${line.split('=')[0]}=.*/${line}/' .env && chown www-data:www-data .env`,
    );

  test('the survey names the versions that are there instead of an unknown one', async () => {
    await rejects(
      survey(newClient({ image: 'slipway-sample:9.9-master' })),
      'InvalidInput',
      /9\.9-master.*there are 1\.3-master/,
    );
  });

  test('the survey names who listens on the port, and a network that overlaps', async () => {
    await lab.host.exec('mkdir -p /tmp/up && busybox httpd -p 127.0.0.1:20777 -h /tmp/up');
    await rejects(survey(newClient({ port: 20777 })), 'Conflict', /listens on port 20777/);
    await lab.host.exec('docker network create --subnet 10.213.64.0/24 stranger');
    await rejects(
      survey(newClient({ subnet: '10.213.64.16/28' })),
      'Conflict',
      /network stranger \(10\.213\.64\.0\/24\)/,
    );
    await lab.host.exec('docker network rm stranger');
  });

  test('the survey says that there is too little room', async () => {
    await lab.host.exec('fallocate -l 100M /srv/filler');
    await rejects(survey(newClient()), 'CapacityExceeded', /MB free under \/srv, 200 are needed/);
  });

  test('a neighbour with a longer number stays', async () => {
    const one = newClient();
    const ten = addClient(lab, one.thing.names.clientId * 10);
    await createWhole(lab, ten);
    const all = await left(ten);
    await createWhole(lab, one);
    await undoWhole(lab, one);
    assert.deepEqual(await left(one), []);
    assert.deepEqual(await left(ten), all);
    await undoWhole(lab, ten);
  });

  test('the files have the modes and the group that the product needs, by a container where the user may not', async () => {
    const client = newClient();
    await lab.docker.writeClientFiles(client.thing, client.step('files'));
    const { stdout } = await lab.host.exec(
      `cd ${client.thing.names.directory} && stat -c '%n %a %U %g' . .env public php/add_vars.ini docker-compose.yml .slipway`,
    );
    assert.deepEqual(stdout.trim().split('\n').slice(0, 3), [
      '. 750 www-data 33',
      '.env 640 www-data 33',
      'public 775 www-data 33',
    ]);
    assert.match(
      (await lab.host.exec(`cat ${client.thing.names.directory}/.env`)).stdout,
      new RegExp(`DB_PASSWORD=Db${client.thing.names.clientId}Password`),
    );
    await lab.docker.removeClientFiles(client.thing, client.step('files', { phase: 'undo' }));
    assert.deepEqual(await left(client), []);
  });

  test('a container that exits is CommandFailed with the end of its log, and is undone', async () => {
    const client = newClient();
    await lab.docker.writeClientFiles(client.thing, client.step('files'));
    await lab.host.exec(`cd ${client.thing.names.directory} && echo 'NOT VALID=1' >> .env`);
    await rejects(
      lab.docker.startContainers(client.thing, client.step('container')),
      'CommandFailed',
      /invalid name/,
    );
    await lab.docker.removeContainers(client.thing, client.step('container', { phase: 'undo' }));
    await lab.docker.removeClientFiles(client.thing, client.step('files', { phase: 'undo' }));
    assert.deepEqual(await left(client), []);
  });

  test('the container runs again once Docker is back from a crash', async () => {
    const client = newClient();
    await createContainers(client);
    await lab.host.exec('lab-service kill docker; lab-service start docker');
    await lab.host.waitUntilReady();
    await pollUntil({
      what: 'the container runs',
      deadlineMs: 30_000,
      probe: async () => {
        const [found] = (await census(lab.host)).containers.filter(
          ({ name }) => name === client.thing.names.name,
        );
        return found?.state === 'running' || undefined;
      },
    });
    await undoWhole(lab, client);
  });

  test('everything is undone while the disk is full', async () => {
    const client = newClient();
    await createWhole(lab, client);
    await lab.host.exec('cat /dev/zero > /srv/filler; true', { check: false });
    const { names } = client.thing;
    assert.notEqual((await lab.host.exec(`echo x > ${names.directory}/probe`, { check: false })).code, 0);
    await undoWhole(lab, client);
    assert.deepEqual(await left(client), []);
    // the undo has made some room
    await lab.host.exec('cat /dev/zero >> /srv/filler; true', { check: false });
    const other = newClient();
    await rejects(
      lab.docker.writeClientFiles(other.thing, other.step('files')),
      'CapacityExceeded',
      /No space left/,
    );
    await lab.docker.removeClientFiles(other.thing, other.step('files', { phase: 'undo' }));
    assert.deepEqual(await left(other), []);
  });

  test("a failing product command is CommandFailed with its words; the operator's retry runs it anew", async () => {
    const client = newClient();
    await createContainers(client);
    await setEnv(client, 'SAMPLE_FAIL=migrate');
    await rejects(
      lab.product.migrateClient(client.thing, client.step('migrate')),
      'CommandFailed',
      /SAMPLE_FAIL says so/,
    );
    await setEnv(client, 'SAMPLE_FAIL=');
    await lab.product.migrateClient(client.thing, client.step('migrate', { try: 2 }));
    assert.equal(await lab.product.countUsers(client.thing, client.step('count')), 0);
    await undoWhole(lab, client);
  });

  test('a migration whose attempt is lost goes on, and the next attempt follows it: it ran once', async () => {
    const client = newClient();
    await createContainers(client);
    await setEnv(client, 'SAMPLE_MIGRATE_SECONDS=3');
    const lost = new AbortController();
    const first = client.step('migrate', { signal: lost.signal });
    const running = lab.product.migrateClient(client.thing, first);
    await pollUntil({
      what: 'first line',
      deadlineMs: 20_000,
      probe: () => outputOf(jobKey(first)).includes('second 1') || undefined,
    });
    lost.abort(new Error('worker lost'));
    await assert.rejects(running);
    await lab.product.migrateClient(client.thing, {
      ...first,
      signal: new AbortController().signal,
      attempt: 2,
    });
    const output = outputOf(jobKey(first));
    assert.equal(output.match(/second 1 of 3/g)?.length, 1, output);
    assert.match(output, /second 3 of 3[\s\S]*migrated 0001/);
    await undoWhole(lab, client);
  });

  test('a cancelled migration ends with its container', async () => {
    const client = newClient();
    await createContainers(client);
    await setEnv(client, 'SAMPLE_MIGRATE_SECONDS=60');
    const cancel = new AbortController();
    const step = client.step('migrate', { signal: cancel.signal, cancelRequested: () => true });
    const running = lab.product.migrateClient(client.thing, step);
    await pollUntil({
      what: 'first line',
      deadlineMs: 20_000,
      probe: () => outputOf(jobKey(step)).includes('second 1') || undefined,
    });
    cancel.abort(new Error('cancelled by a person'));
    await assert.rejects(running, /cancelled by a person/);
    const { containers } = await census(lab.host);
    assert.deepEqual(
      containers.map(({ name }) => name),
      [client.thing.names.name],
    );
    await undoWhole(lab, client);
  });

  test("the administrator's password is set by its secret, and one that was erased leaves the present one", async () => {
    const client = newClient();
    await createWhole(lab, client);
    const hash = async () =>
      (
        await lab.host.exec(
          `setpriv --reuid postgres --regid postgres --init-groups psql -h /run/postgresql -XAt ${client.thing.names.name} -c 'select password from users'`,
        )
      ).stdout;
    const before1 = await hash();
    lab.world.secrets.set('another', 'another password');
    await lab.product.setAdminPassword({ ...client.thing, password: 'another' }, client.step('password'));
    const after1 = await hash();
    assert.notEqual(after1, before1);
    await lab.product.setAdminPassword({ ...client.thing, password: 'erased' }, client.step('password-2'));
    assert.equal(await hash(), after1);
    await undoWhole(lab, client);
  });

  test('no secret stands in an output or a job directory', async () => {
    const client = newClient();
    await createWhole(lab, client);
    const everything = JSON.stringify(lab.world.output);
    const { stdout } = await lab.host.exec(
      'grep -raE "Db[0-9]+Password|correct horse|Token[0-9]+" /srv/slipway || true',
    );
    assert.equal(stdout, '');
    for (const secret of lab.world.secrets.values()) assert.ok(!everything.includes(secret));
    await undoWhole(lab, client);
  });
});

for (const sql of ['mariadb', 'postgres'] as const) {
  test(`the backup of a client with ${sql} can be read again, is made once, and holds what the container's users own`, async () => {
    const lab = await startLabWorld({ sql, compose: 'v2' });
    try {
      const client = addClient(lab, 70);
      await createWhole(lab, client);
      const remover = addClient(lab, 70);
      const step = remover.step('backup');
      const backup = await lab.docker.backupClient({ ...client.thing, keepDays: 30 }, step);
      assert.equal(backup.path, `/srv/backup/clients/client70-${remover.operation}`);
      assert.ok(backup.sizeBytes > 1000);
      assert.deepEqual(
        await lab.docker.backupClient({ ...client.thing, keepDays: 30 }, { ...step, attempt: 2 }),
        backup,
      );
      const read = sql === 'mariadb' ? 'zcat database.sql.gz' : 'pg_restore -f - database.dump';
      const { stdout } = await lab.host.exec(
        `cd ${backup.path} && ${read}; tar -tzf files.tar.gz; ls -A; ls -la`,
      );
      assert.match(stdout, /Acme \\?"Lab/);
      assert.match(stdout, /uploads\/started\.txt/);
      assert.doesNotMatch(stdout, /\.login|\.said|partial/);
      const { thing } = client;
      for (const round of [1, 2]) {
        await lab.nginx.removeVhost(thing, remover.step(`vhost-${round}`));
        await lab.docker.removeContainers(thing, remover.step(`containers-${round}`));
        await lab.docker.removeClientFiles(thing, remover.step(`files-${round}`));
        await lab.sql.dropDatabase(thing, remover.step(`database-${round}`));
      }
      assert.deepEqual(traces(await census(lab.host), 'client70'), []);
      // a run that a reset brings back after the removal finds it as it was
      assert.deepEqual(
        await lab.docker.backupClient({ ...thing, keepDays: 30 }, remover.step('backup')),
        backup,
      );
    } finally {
      await lab.stop();
    }
  });
}
