import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { extract } from 'tar-stream';
import { IMAGE_LABELS } from '../../activities/docker/image-labels.js';
import { environmentOf, loadProfile } from '../../activities/clients/product/profile.js';
import { renderEnvFile } from '../../activities/clients/product/env-file.js';
import { toolsDir } from '../../start/tools/config.js';
import { freePort } from '../../process/free-port.js';
import { pollUntil } from '../../process/poll.js';
import { buildSampleImage, buildSampleProgram, writeBuildContext } from '../../lab/product/image.js';
import { run, type RunResult } from '../../process/run.js';
import { startDebianPostgres, startMariadb, type TestEngine } from '../activities/sql/sql-engines.js';

const cacheDir = join(toolsDir, '..', 'sample');
const log = () => undefined;

interface Installation {
  artisan(args: string[], options?: { input?: unknown; env?: Record<string, string> }): Promise<RunResult>;
  serve(): Promise<{ url: string; process: ChildProcess }>;
  root: string;
}

const PASSWORD = 'p"a$s\\w#o\'r d';
const PROFILE = loadProfile('sample');

/** The product as its image has it, in a directory of its own, with a `.env` that the renderer wrote. */
async function install(engine: TestEngine, { sqlEngine, database, version }: Install): Promise<Installation> {
  const root = await mkdtemp(join(tmpdir(), 'slipway-sample-'));
  await writeFile(join(root, 'VERSION'), `${version}\n`);
  const facts = {
    url: 'http://acme.example.test/',
    hostname: 'acme.example.test',
    clientName: 'client42',
    laboratoryName: 'Acme ${HOME} "Lab"',
    sqlEngine,
    sqlHost: '127.0.0.1',
    sqlPort: String(engine.port),
    database,
    databaseUser: database,
    databasePassword: PASSWORD,
    timezone: 'UTC',
    applicationKey: 'AAAA',
    clientToken: 'token',
  };
  const example = await readFile(new URL('../../lab/product/.env.example', import.meta.url), 'utf8');
  await writeFile(join(root, '.env'), renderEnvFile({ example, values: environmentOf(PROFILE, facts) }));
  const program = await buildSampleProgram({ cacheDir, log });
  return {
    root,
    artisan: (args, { input, env } = {}) =>
      run(program, args, {
        env: { SAMPLE_ROOT: root, ...env },
        input: input === undefined ? '' : JSON.stringify(input),
        check: false,
      }),
    async serve() {
      const port = await freePort();
      const child = spawn(program, ['serve'], {
        env: { SAMPLE_ROOT: root, APP_PORT: String(port) },
        stdio: 'ignore',
      });
      const url = `http://127.0.0.1:${port}`;
      await pollUntil({
        what: 'the product answers',
        deadlineMs: 10_000,
        probe: async () => (await fetch(`${url}/headers`)).ok || undefined,
      });
      return { url, process: child };
    },
  };
}

interface Install {
  sqlEngine: 'mariadb' | 'postgres';
  database: string;
  version: string;
}

const ENGINES = [
  { sqlEngine: 'mariadb', start: startMariadb },
  { sqlEngine: 'postgres', start: startDebianPostgres },
] as const;

const quoted = PASSWORD.replaceAll("'", "''");
const ACCOUNT = {
  mariadb: (name: string) =>
    `CREATE DATABASE ${name}; CREATE USER ${name}@'127.0.0.%' IDENTIFIED BY '${quoted.replaceAll('\\', '\\\\')}'; GRANT ALL ON ${name}.* TO ${name}@'127.0.0.%'`,
  postgres: (name: string) => `CREATE ROLE ${name} LOGIN PASSWORD '${quoted}'`,
};

const ADMINISTRATOR = {
  name: 'Lab <one>',
  admin_f: 'Doe',
  admin_i: 'Jane',
  admin_o: '',
  admin_login: 'jane',
  password: 'first password',
  email: 'jane@example.test',
  license_expires_at: '2999-01-01T00:00:00Z',
};

const COUNTS = 'SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM analyses)';

async function succeed(result: Promise<RunResult>): Promise<string> {
  const { code, stdout, stderr } = await result;
  assert.equal(code, 0, stderr);
  return stdout;
}

for (const { sqlEngine, start } of ENGINES) {
  describe(`the sample product on ${sqlEngine}`, () => {
    let engine: TestEngine;
    const roots: string[] = [];
    before(async () => {
      engine = await start();
    });
    after(async () => {
      await engine.stop();
      for (const root of roots) await rm(root, { recursive: true, force: true });
    });

    /** A database and an account of their own, with the product beside them. */
    async function installed(database: string, version = '1.2-master'): Promise<Installation> {
      await engine.admin(ACCOUNT[sqlEngine](database));
      if (sqlEngine === 'postgres') await engine.admin(`CREATE DATABASE ${database} OWNER ${database}`);
      const product = await install(engine, { sqlEngine, database, version });
      roots.push(product.root);
      return product;
    }
    const rows = (database: string, text: string) => engine.admin(text, database);

    test('migrates once, and further with a newer version', async () => {
      const product = await installed('migrating', '1.0-master');
      const first = await succeed(product.artisan(['migrate', '--force']));
      assert.match(first, /^migrated 0001_create_users$/m);
      assert.doesNotMatch(first, /0006/);
      assert.equal(await succeed(product.artisan(['migrate', '--force'])), 'nothing to migrate\n');
      await writeFile(join(product.root, 'VERSION'), '1.2-master\n');
      assert.deepEqual((await succeed(product.artisan(['migrate']))).match(/\d{4}/g), ['0006', '0007']);
      assert.deepEqual(await rows('migrating', 'SELECT count(*) FROM migrations'), [['7']]);
    });

    test('finds the cloud tables that the backend made before it', async () => {
      const product = await installed('precreated');
      await succeed(product.artisan(['migrate']));
      await rows('precreated', "DELETE FROM migrations WHERE migration LIKE '0003%'");
      await rows('precreated', "INSERT INTO cloud_settings (name, value) VALUES ('maintenance', '0')");
      assert.match(await succeed(product.artisan(['migrate'])), /migrated 0003/);
      assert.deepEqual(await rows('precreated', 'SELECT name, value FROM cloud_settings'), [
        ['maintenance', '0'],
      ]);
    });

    test('a failing migration exits with 1 behind the first one, and a retry does the rest', async () => {
      const product = await installed('failing');
      const failed = await product.artisan(['migrate'], { env: { SAMPLE_FAIL: 'migrate' } });
      assert.deepEqual([failed.code, failed.stdout], [1, 'migrated 0001_create_users\n']);
      assert.doesNotMatch(await succeed(product.artisan(['migrate'])), /0001/);
    });

    test('a slow migration says so every second', async () => {
      const product = await installed('slow');
      const text = await succeed(product.artisan(['migrate'], { env: { SAMPLE_MIGRATE_SECONDS: '2' } }));
      assert.match(text, /^migrating, second 1 of 2\nmigrating, second 2 of 2\nmigrated 0001/);
    });

    test('base data can be written twice, passwords are bcrypt, and users are counted', async () => {
      const product = await installed('based');
      await succeed(product.artisan(['migrate']));
      await succeed(product.artisan(['cloud:base'], { input: ADMINISTRATOR }));
      await succeed(product.artisan(['cloud:base'], { input: { ...ADMINISTRATOR, name: 'Renamed' } }));
      assert.deepEqual(await rows('based', 'SELECT name FROM laboratories'), [['Renamed']]);
      const [[before]] = (await rows('based', "SELECT password FROM users WHERE login = 'jane'")) as [
        [string],
      ];
      assert.match(before, /^\$2a\$10\$/);
      await succeed(
        product.artisan(['cloud:password'], { input: { admin_login: 'jane', password: 'second' } }),
      );
      const [[later]] = (await rows('based', "SELECT password FROM users WHERE login = 'jane'")) as [
        [string],
      ];
      assert.notEqual(later, before);
      const { password: _, ...withoutPassword } = ADMINISTRATOR;
      await succeed(product.artisan(['cloud:base'], { input: withoutPassword }));
      assert.deepEqual(await rows('based', "SELECT password FROM users WHERE login = 'jane'"), [[later]]);
      const other = { ...withoutPassword, admin_login: 'other' };
      assert.equal((await product.artisan(['cloud:base'], { input: other })).code, 1);
      await succeed(product.artisan(['demo:enable']));
      assert.equal(await succeed(product.artisan(['cloud:users'])), '1\n');
      assert.equal(
        (await product.artisan(['cloud:password'], { input: { admin_login: 'nobody', password: 'x' } })).code,
        1,
      );
      assert.equal((await product.artisan(['cloud:base'])).code, 1);
    });

    test('demo data comes and goes without a trace, whatever was there before', async () => {
      const product = await installed('demo');
      await succeed(product.artisan(['migrate']));
      await succeed(product.artisan(['db:seed']));
      const before = await rows('demo', COUNTS);
      for (const verb of ['demo:enable', 'demo:enable', 'demo:disable', 'demo:disable']) {
        await succeed(product.artisan([verb]));
      }
      assert.deepEqual(await rows('demo', COUNTS), before);
    });

    test('a sanitized copy has no addresses, names, texts and sending keys left', async () => {
      const product = await installed('sanitized');
      await succeed(product.artisan(['migrate']));
      await succeed(product.artisan(['cloud:base'], { input: ADMINISTRATOR }));
      await rows('sanitized', "INSERT INTO notes (body) VALUES ('about Jane')");
      await rows('sanitized', "INSERT INTO cloud_settings (name, value) VALUES ('sms_key', 'k')");
      await succeed(product.artisan(['cloud:sanitize']));
      const left = JSON.stringify([
        await rows('sanitized', 'SELECT * FROM users'),
        await rows('sanitized', 'SELECT * FROM notes'),
        await rows('sanitized', "SELECT value FROM cloud_settings WHERE name = 'sms_key'"),
      ]);
      assert.doesNotMatch(left, /example\.test|Doe|Jane|"k"/);
    });

    test('serves laboratory, notes and health, and hides behind maintenance and expiry', async () => {
      const product = await installed('serving');
      const { url, process: server } = await product.serve();
      try {
        const ask = async (path: string, init?: RequestInit) => {
          const response = await fetch(url + path, init);
          return { status: response.status, body: await response.text() };
        };
        assert.equal((await ask('/health')).status, 200);
        assert.equal((await ask('/')).status, 503);
        await succeed(product.artisan(['migrate']));
        await succeed(product.artisan(['cloud:base'], { input: ADMINISTRATOR }));
        assert.match((await ask('/')).body, /Lab &lt;one&gt;.*Version 1\.2-master/s);
        assert.equal((await ask('/notes', { method: 'POST', body: 'first' })).status, 201);
        assert.deepEqual(JSON.parse((await ask('/notes')).body), {
          count: 1,
          notes: [{ id: 1, body: 'first' }],
        });

        await succeed(product.artisan(['maintenance', 'on']));
        assert.equal((await ask('/')).status, 503);
        assert.equal((await ask('/notes', { method: 'POST', body: 'lost' })).status, 503);
        assert.equal((await ask('/health')).status, 200);
        await succeed(product.artisan(['maintenance', 'off']));
        assert.equal((await ask('/')).status, 200);
        await rows(
          'serving',
          "UPDATE cloud_settings SET value = '2020-01-01T00:00:00Z' WHERE name = 'license_expires_at'",
        );
        assert.equal((await ask('/')).status, 403);

        const port = new URL(url).port;
        assert.equal((await product.artisan(['health'], { env: { APP_PORT: port } })).code, 0);
        assert.equal((await product.artisan(['health'], { env: { APP_PORT: '1' } })).code, 1);
      } finally {
        server.kill('SIGTERM');
        const code = await new Promise((resolve) => server.once('exit', resolve));
        assert.equal(code, 0);
      }
    });

    test('health is 503 while the database does not let it in', async () => {
      const product = await installed('locked');
      const wrong = (await readFile(join(product.root, '.env'), 'utf8')).replace(
        /^DB_PASSWORD=.*$/m,
        'DB_PASSWORD=wrong',
      );
      await writeFile(join(product.root, '.env'), wrong);
      const { url, process: server } = await product.serve();
      try {
        assert.equal((await fetch(`${url}/health`)).status, 503);
      } finally {
        server.kill('SIGKILL');
      }
    });
  });
}

interface Entry {
  type: string;
  mode: number;
  linkname: string | null;
  content: Buffer;
}

async function readTar(source: NodeJS.ReadableStream): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  const reader = extract();
  source.pipe(reader);
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const { name, type, mode, linkname } = entry.header;
    entries.set(name, {
      type: type ?? '',
      mode: mode ?? 0,
      linkname: linkname ?? null,
      content: Buffer.concat(chunks),
    });
  }
  return entries;
}

describe('the image of the sample product', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slipway-image-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  test('is what docker load takes: a manifest, a configuration and one layer that match', async () => {
    const file = await buildSampleImage({ version: '1.3-master', cacheDir, log });
    const image = await readTar(createReadStream(file));
    const [manifest] = JSON.parse(image.get('manifest.json')?.content.toString() ?? '') as [
      { Config: string; RepoTags: string[]; Layers: string[] },
    ];
    assert.deepEqual(manifest.RepoTags, ['slipway-sample:1.3-master']);
    const config = JSON.parse(image.get(manifest.Config)?.content.toString() ?? '') as {
      config: { Labels: Record<string, string>; Cmd: string[] };
      rootfs: { diff_ids: string[] };
    };
    assert.equal(config.config.Labels[IMAGE_LABELS.branch], 'master');
    assert.equal(config.config.Labels[IMAGE_LABELS.version], '1.3-master');
    const layer = image.get(manifest.Layers[0] ?? '')?.content ?? Buffer.alloc(0);
    assert.equal(config.rootfs.diff_ids[0], `sha256:${createHash('sha256').update(layer).digest('hex')}`);
    // a tenth of a second to load, so that lab hosts can have several versions
    assert.ok((await stat(file)).size < 20_000_000);
  });

  const noRoot = process.getuid?.() === 0 ? false : 'only root may change the root directory';
  test('has all that its commands need, and runs without anything else', { skip: noRoot }, async () => {
    const image = await readTar(
      createReadStream(await buildSampleImage({ version: '1.3-dev', cacheDir, log })),
    );
    const layerName = [...image.keys()].find((name) => name.endsWith('/layer.tar')) ?? '';
    const root = join(directory, 'root');
    await run('sh', ['-c', 'mkdir "$1" && tar -x -C "$1"', 'sh', root], {
      input: image.get(layerName)?.content ?? '',
    });
    for (const applet of ['sh', 'tar', 'rm', 'chown', 'find']) {
      assert.equal(
        await run('readlink', [join(root, 'bin', applet)]).then(({ stdout }) => stdout.trim()),
        'busybox',
      );
    }
    const { stdout } = await run(
      '/usr/sbin/chroot',
      [root, '/bin/sh', '-c', 'cd /app && cat VERSION && artisan env:show'],
      { env: { PATH: '/bin' } },
    );
    assert.equal(stdout, '1.3-dev\n{}\n');
  });

  test('is built once per content', async () => {
    const lines: string[] = [];
    const own = join(directory, 'cache');
    const build = (version: string) =>
      buildSampleImage({ version, cacheDir: own, log: (line) => lines.push(line) });
    const [first, second] = [await build('1.0-master'), await build('1.0-master')];
    assert.equal(first, second);
    assert.equal(lines.length, 2);
    assert.notEqual(await build('1.1-master'), first);
    assert.equal(lines.length, 3);
    assert.deepEqual(
      (await readdir(own)).filter((name) => name.includes(String(process.pid))),
      [],
    );
  });

  test('a version that is no tag is refused', async () => {
    await assert.rejects(buildSampleImage({ version: '../x', cacheDir, log }), /not an image version/);
  });

  test('a build context holds what the Dockerfile copies', async () => {
    const context = join(directory, 'context');
    await writeBuildContext({ directory: context, cacheDir, log });
    const dockerfile = await readFile(join(context, 'Dockerfile'), 'utf8');
    const copied = [...dockerfile.matchAll(/^COPY (\S+) /gm)].map((match) => match[1]);
    const present = await readdir(context);
    assert.deepEqual(
      copied.filter((name) => !present.includes(name ?? '')),
      [],
    );
    assert.ok(present.includes('.env.example'));
  });
});
