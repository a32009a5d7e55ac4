import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { addClient, type LabClient, type LabWorld, startLabWorld, undoWhole } from '../clients/lab-client.js';

const CONF = '/etc/nginx/conf.d';

describe('the nginx swap on a real host', { concurrency: false }, () => {
  let lab: LabWorld;
  let nextId = 30;

  before(async () => {
    lab = await startLabWorld({ sql: 'mariadb', compose: 'v2' });
    // stands in for any client's container: nginx only has to have somebody behind it
    await lab.host.exec(
      `mkdir -p /tmp/up && touch /tmp/up/health && busybox httpd -p 127.0.0.1:20999 -h /tmp/up`,
    );
  });
  after(() => lab?.stop());

  // one test's mistake is not the next one's
  afterEach(() => lab.host.exec(`rm -rf ${CONF}/* ${CONF}/.[!.]*`));

  const newClient = (over = {}): LabClient => {
    nextId += 1;
    return addClient(lab, nextId, { port: 20999, ...over });
  };
  const publish = (client: LabClient, variant: 'live' | 'maintenance' = 'live', over = {}) =>
    lab.nginx.publishVhost({ ...client.thing, variant }, client.step('vhost', over));
  const remove = (client: LabClient) =>
    lab.nginx.removeVhost(client.thing, client.step('vhost', { phase: 'undo' }));
  const files = async () => (await lab.host.exec(`ls -A ${CONF}`)).stdout.split('\n').filter(Boolean);
  const put = (name: string, text: string) =>
    lab.host.exec(`cat > ${CONF}/${name}; chown www-data: ${CONF}/${name}`, { input: text });
  const statusOf = async (client: LabClient, path = '/health') => {
    const script = `exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET ${path} HTTP/1.0\\r\\nHost: ${client.thing.names.hostname}\\r\\n\\r\\n' >&3; head -n 1 <&3`;
    return (await lab.host.exec(script)).stdout.split(' ')[1];
  };

  test('publishes, shows the maintenance page, comes back, goes', async () => {
    const client = newClient();
    for (const [variant, expected] of [
      ['live', '200'],
      ['maintenance', '503'],
      ['live', '200'],
    ] as const) {
      await publish(client, variant);
      assert.equal(await statusOf(client), expected);
      assert.deepEqual(await files(), [`client${client.thing.names.clientId}.conf`]);
    }
    await remove(client);
    assert.equal(await statusOf(client), '404');
    assert.deepEqual(await files(), []);
    await remove(client);
  });

  test('admits the address that Slipway comes from to the health path alone', async () => {
    const client = newClient();
    lab.world.clients.get(client.thing.names.clientId)!.allowedIps = ['192.0.2.0/24'];
    await publish(client);
    assert.deepEqual(await lab.nginx.checkFromOutside(client.thing, client.step('outside')), {
      warning: `${client.thing.names.hostname} is not in the DNS yet; point it to ${lab.host.address}`,
    });
    assert.equal(await statusOf(client, '/'), '403');
    await remove(client);
  });

  test('names a broken neighbour, changes nothing, and serves on', async () => {
    const served = newClient();
    await publish(served);
    await put('zz-neighbour.conf', 'server { listen 80; bogus on; }\n');
    const client = newClient();
    const surveyed = newClient({ port: 20997 });
    for (const act of [
      () => publish(client),
      () => remove(served),
      () => lab.docker.surveyHost(surveyed.thing, surveyed.step('check')),
    ]) {
      await assert.rejects(act(), (error: Error) => {
        assert.equal(kindOf(error), 'CommandFailed');
        assert.match(error.message, /neighbour[\s\S]*zz-neighbour\.conf/);
        return true;
      });
    }
    assert.deepEqual(await files(), [`${served.thing.names.name}.conf`, 'zz-neighbour.conf']);
    assert.equal(await statusOf(served), '200');
    await lab.host.exec(`rm ${CONF}/zz-neighbour.conf`);
    await remove(served);
    assert.deepEqual(await files(), []);
  });

  test('puts the former file back when nginx refuses the new one', async () => {
    const client = newClient();
    await publish(client);
    const refused = {
      ...client.thing,
      names: { ...client.thing.names, hostname: `${'x'.repeat(60)}.${'y'.repeat(60)}.test` },
    };
    await assert.rejects(
      lab.nginx.publishVhost({ ...refused, variant: 'live' }, client.step('vhost')),
      (error: Error) => kindOf(error) === 'CommandFailed' && /server_names_hash/.test(error.message),
    );
    assert.equal(await statusOf(client), '200');
    assert.deepEqual(await files(), [`${client.thing.names.name}.conf`]);
    await remove(client);
    const fresh = newClient({ hostname: `${'x'.repeat(60)}.${'y'.repeat(60)}.test` });
    await assert.rejects(publish(fresh), (error: Error) => kindOf(error) === 'CommandFailed');
    assert.deepEqual(await files(), []);
  });

  test('puts the former file back when the new one does not serve', async () => {
    const client = newClient();
    await publish(client);
    const dead = { ...client.thing, names: { ...client.thing.names, port: 20998 } };
    await assert.rejects(
      lab.nginx.publishVhost({ ...dead, variant: 'live' }, client.step('vhost')),
      (error: Error) => kindOf(error) === 'CommandFailed' && /502/.test(error.message),
    );
    assert.equal(await statusOf(client), '200');
    await remove(client);
  });

  test('refuses a name that another file serves, which nginx itself only warns of', async () => {
    const client = newClient();
    await put(
      'other.conf',
      `server {\n  listen 80;\n  server_name\n    unrelated.test ${client.thing.names.hostname};\n}\n`,
    );
    await assert.rejects(
      publish(client),
      (error: Error) => kindOf(error) === 'Conflict' && /other\.conf/.test(error.message),
    );
    assert.deepEqual(await files(), ['other.conf']);
    await lab.host.exec(`rm ${CONF}/other.conf`);
  });

  test('leaves a file without its mark alone', async () => {
    const client = newClient();
    const file = `${client.thing.names.name}.conf`;
    await put(file, '# by hand\n');
    await assert.rejects(publish(client), (error: Error) => kindOf(error) === 'Conflict');
    await remove(client);
    assert.deepEqual(await files(), [file]);
    await lab.host.exec(`rm ${CONF}/${file}`);
  });

  const deaths: { title: string; leave: (file: string) => Promise<unknown>; survives: boolean }[] = [
    {
      title: 'after the old file went out',
      leave: (file) => lab.host.exec(`cd ${CONF} && mv ${file} .${file}.slipway-old`),
      survives: true,
    },
    {
      title: 'after a broken new file came in',
      leave: (file) =>
        lab.host.exec(
          `cd ${CONF} && mv ${file} .${file}.slipway-old && head -n 1 .${file}.slipway-old > ${file} && echo bogus >> ${file} && chown www-data: ${file}`,
        ),
      survives: true,
    },
    {
      title: 'with a broken first file',
      leave: (file) =>
        lab.host.exec(
          `cd ${CONF} && head -n 1 ${file} > .tmp && echo bogus >> .tmp && mv .tmp ${file} && : > .${file}.slipway-old && chown www-data: ${file} .${file}.slipway-old`,
        ),
      survives: false,
    },
  ];
  for (const { title, leave, survives } of deaths) {
    test(`repairs a swap whose attempt died ${title}: by its retry, its undo, and a neighbour's swap`, async () => {
      for (const act of ['retry', 'undo', 'neighbour'] as const) {
        const client = newClient();
        const file = `${client.thing.names.name}.conf`;
        await publish(client);
        await leave(file);
        const neighbour = newClient();
        if (act === 'retry') await publish(client);
        if (act === 'undo') await remove(client);
        if (act === 'neighbour') await publish(neighbour);
        const expected = {
          retry: [file],
          undo: [],
          neighbour: survives
            ? [file, `${neighbour.thing.names.name}.conf`]
            : [`${neighbour.thing.names.name}.conf`],
        };
        assert.deepEqual(await files(), expected[act].sort());
        assert.equal((await lab.host.exec('nginx -t', { check: false })).code, 0);
        await remove(client);
        await remove(neighbour);
        assert.deepEqual(await files(), []);
      }
    });
  }

  test('takes turns: ten clients at once are all served', async () => {
    const clients = Array.from({ length: 10 }, () => newClient());
    await Promise.all(clients.map((client) => publish(client)));
    for (const client of clients) assert.equal(await statusOf(client), '200');
    await Promise.all(clients.map(remove));
    assert.deepEqual(await files(), []);
  });

  test('is removed from a host whose nginx does not run', async () => {
    const client = newClient();
    await publish(client);
    await lab.host.exec('lab-service stop nginx');
    await remove(client);
    assert.deepEqual(await files(), []);
    await lab.host.exec('lab-service start nginx');
    await undoWhole(lab, client);
  });
});
