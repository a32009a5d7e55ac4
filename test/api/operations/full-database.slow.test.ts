import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { type Database, openDatabase } from '../../../db/database.js';
import { migrateDatabase } from '../../../db/migrate.js';
import { clients, operations } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { type PostgresServer, startPostgres } from '../../../start/services/postgres.js';
import { run } from '../../../process/run.js';
import { type ApiProcess, startApiProcess } from '../../support/api-process.js';
import { failing, openScriptedSystem, type ScriptedSystem } from '../../support/scripted-world.js';

const root = process.getuid?.() === 0;

/** Postgres on a small file system of this file's own. */
describe("when the disk of Slipway's own Postgres is full", {
  skip: root ? false : 'mounts need root',
}, () => {
  let dir: string;
  let disk: string;
  let postgres: PostgresServer;
  let database: Database;
  let system: ScriptedSystem;
  let api: ApiProcess;
  let serverId: number;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-full-'));
    await chmod(dir, 0o711);
    disk = join(dir, 'disk');
    await mkdir(disk);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1g,mode=755', 'slipway-full', disk]);
    postgres = await startPostgres({ dir: join(disk, 'postgres'), persistent: true, log: () => undefined });
    await migrateDatabase(postgres.url);
    database = openDatabase({ url: postgres.url, poolSize: 2 });
    system = await openScriptedSystem({}, { databaseUrl: postgres.url });
    api = await startApiProcess({
      databaseUrl: postgres.url,
      temporalAddress: system.temporalAddress,
      taskQueue: `full-${randomBytes(4).toString('hex')}`,
    });
    const json = {
      ...{ name: 'w', host: '10.0.0.9', domain: 'c.example.test', sql_user: 'u', sql_password: 'a password' },
      ssh_host_key: `SHA256:${'b'.repeat(43)}`,
    };
    const server = await api.call('POST', '/servers', { json });
    assert.equal(server.status, 201, await server.clone().text());
    serverId = ((await server.json()) as { id: number }).id;
  });
  after(async () => {
    await api?.stop();
    await system?.close();
    await database?.close();
    await postgres?.stop();
    await run('umount', ['--lazy', disk], { check: false });
    await rm(dir, { recursive: true, force: true });
  });

  /** The file system ends where it is. */
  async function fill(): Promise<void> {
    const { stdout } = await run('df', ['-P', '-B1', disk]);
    const used = Number(stdout.split('\n')[1]?.split(/\s+/)[2]);
    await run('mount', ['-o', `remount,size=${used}`, disk]);
  }

  function create(config: string): Promise<Response> {
    const json = {
      ...{
        server_id: serverId,
        name: 'A',
        admin_login: 'a',
        email: 'a@b.example',
        version_tag: '1.3-master',
      },
      ...{ subdomain: `d${randomBytes(5).toString('hex')}`, config },
    };
    return api.call('POST', '/clients', { json });
  }

  it('the API refuses with 503 and writes nothing, operations pause, and all goes on once there is room', async () => {
    const held = await system.start([{ key: 'one' }, { key: 'two' }], {
      faults: { 'do:one': failing('CommandFailed', 1) },
    });
    await held.until('hold', ({ hold }) => hold !== null);
    const before = await database.db.select({ id: clients.id }).from(clients);
    await fill();
    // what does not compress needs new pages at once
    const refused = await create(randomBytes(40_000).toString('base64'));
    assert.equal(refused.status, 503, await refused.clone().text());
    assert.equal(((await refused.json()) as { code: string }).code, 'database_unavailable');
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    assert.equal((await api.call('GET', '/clients')).status, 200, 'reads need no room');
    await held.handle.signal('retry', { id: 'd1', note: 'x'.repeat(500) });
    const running = await system.start([{ key: 'three' }, { key: 'four' }]);

    await run('mount', ['-o', 'remount,size=1g', disk]);
    for (const operation of [held, running]) assert.equal((await operation.ended()).state, 'succeeded');
    assert.deepEqual(
      [held.things(), running.things()],
      [
        ['one', 'two'],
        ['three', 'four'],
      ],
    );
    assert.deepEqual(await database.db.select({ id: clients.id }).from(clients), before);
    const accepted = await pollUntil({
      what: 'a start',
      deadlineMs: 20_000,
      probe: async () => {
        const response = await create('small');
        return response.status === 202 ? ((await response.json()) as { id: number }) : undefined;
      },
    });
    const rows = await database.db
      .select()
      .from(operations)
      .where(eq(operations.subject, `client:${accepted.id}`));
    assert.equal(rows.length, 1);
  });
});
