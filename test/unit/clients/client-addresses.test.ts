import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { eq } from 'drizzle-orm';
import { findAddresses, subnetAt } from '../../../activities/clients/records/client-addresses.js';
import type { Db } from '../../../db/database.js';
import { billingTypes, clients, servers } from '../../../db/schema/index.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { testPostgres, type TestPostgres } from '../../support/postgres.js';

describe("a client's network", () => {
  it('is the /28 of its number in the pool', () => {
    assert.equal(subnetAt('10.213.0.0/16', 0), '10.213.0.0/28');
    assert.equal(subnetAt('10.213.0.0/16', 1), '10.213.0.16/28');
    assert.equal(subnetAt('10.213.0.0/16', 16), '10.213.1.0/28');
    assert.equal(subnetAt('10.213.0.0/16', 4_095), '10.213.255.240/28');
    assert.equal(subnetAt('10.213.7.9/16', 1), '10.213.0.16/28');
    assert.equal(subnetAt('192.168.255.0/24', 15), '192.168.255.240/28');
  });

  it('lies in its pool, and in nobody else’s network', () => {
    const pool = fc.record({
      address: fc.ipV4().filter((address) => Number(address.split('.')[0]) > 0),
      prefix: fc.integer({ min: 8, max: 28 }),
    });
    fc.assert(
      fc.property(pool, fc.nat(), fc.nat(), ({ address, prefix }, a, b) => {
        const text = `${address}/${prefix}`;
        const count = 2 ** (28 - prefix);
        const [first, second] = [subnetAt(text, a % count), subnetAt(text, b % count)];
        const [base] = ipaddr.IPv4.parseCIDR(first);
        assert.ok(base.match(ipaddr.IPv4.parseCIDR(text)), `${first} in ${text}`);
        assert.equal(ipaddr.IPv4.networkAddressFromCIDR(first).toString(), base.toString());
        assert.equal(first === second, a % count === b % count);
      }),
    );
  });
});

describe('the addresses of a server', () => {
  let postgres: TestPostgres;
  let db: Db;
  before(async () => {
    postgres = await testPostgres();
    ({ db } = postgres.database);
    await db.insert(billingTypes).values({ id: 'test', title: 'Test', position: 1 }).onConflictDoNothing();
  });
  after(() => postgres?.close());

  let serial = 0;

  async function makeServer(limits: { clientPool: string; portFrom: number; portTo: number }) {
    serial += 1;
    const [server] = await db
      .insert(servers)
      .values({
        name: `web-${serial}`,
        host: `10.0.0.${serial}`,
        domain: `d${serial}.example.test`,
        sqlHost: '127.0.0.1',
        sqlPort: 3306,
        sqlUser: 'slipway',
        sqlPassword: 'none',
        product: 'sample',
        ...limits,
      })
      .returning();
    return server as typeof servers.$inferSelect;
  }

  async function makeClient(serverId: number, taken: { port: number; subnetIndex: number } | null) {
    serial += 1;
    const [client] = await db
      .insert(clients)
      .values({
        serverId,
        status: 'active',
        name: `Client ${serial}`,
        adminLogin: 'admin',
        subdomain: `c${serial}`,
        email: 'c@example.test',
        versionTag: '1.3-master',
        billingType: 'test',
        ...taken,
      })
      .returning();
    return client as typeof clients.$inferSelect;
  }

  const take = (server: typeof servers.$inferSelect, start = 0) =>
    db.transaction((tx) => findAddresses(tx, server, start));

  it('are the first free ones, each for itself, and freed ones come again', async () => {
    const server = await makeServer({ clientPool: '10.213.0.0/16', portFrom: 20_000, portTo: 20_010 });
    assert.deepEqual(await take(server), { port: 20_000, subnetIndex: 0 });
    await makeClient(server.id, { port: 20_000, subnetIndex: 1 });
    const middle = await makeClient(server.id, { port: 20_001, subnetIndex: 0 });
    await makeClient(server.id, null);
    assert.deepEqual(await take(server), { port: 20_002, subnetIndex: 2 });
    await db.update(clients).set({ port: null, subnetIndex: null }).where(eq(clients.id, middle.id));
    assert.deepEqual(await take(server), { port: 20_001, subnetIndex: 0 });
  });

  it('are looked for from a number on, and round: what was found unusable does not come again at once', async () => {
    const server = await makeServer({ clientPool: '10.213.0.0/24', portFrom: 20_000, portTo: 20_010 });
    assert.deepEqual(await take(server, 3), { port: 20_003, subnetIndex: 3 });
    assert.deepEqual(await take(server, 4), { port: 20_004, subnetIndex: 4 });
    await makeClient(server.id, { port: 20_010, subnetIndex: 15 });
    await makeClient(server.id, { port: 20_000, subnetIndex: 0 });
    assert.deepEqual(await take(server, 10), { port: 20_001, subnetIndex: 10 });
    assert.deepEqual(await take(server, 11 * 16 + 10), { port: 20_001, subnetIndex: 10 });
    assert.deepEqual(await take(server, 15), { port: 20_004, subnetIndex: 1 });
  });

  it('are not taken by the clients of another server', async () => {
    const limits = { clientPool: '10.213.0.0/16', portFrom: 20_000, portTo: 20_010 };
    const [server, other] = [await makeServer(limits), await makeServer(limits)];
    await makeClient(other.id, { port: 20_000, subnetIndex: 0 });
    assert.deepEqual(await take(server), { port: 20_000, subnetIndex: 0 });
  });

  it('run out: a full port range and a full pool say which', async () => {
    const ports = await makeServer({ clientPool: '10.213.0.0/16', portFrom: 20_000, portTo: 20_000 });
    await makeClient(ports.id, { port: 20_000, subnetIndex: 0 });
    const pool = await makeServer({ clientPool: '10.213.0.0/28', portFrom: 20_000, portTo: 20_010 });
    await makeClient(pool.id, { port: 20_000, subnetIndex: 0 });
    const tiny = await makeServer({ clientPool: '10.213.0.0/30', portFrom: 20_000, portTo: 20_010 });
    for (const [server, what] of [
      [ports, /no free port/],
      [pool, /no free network/],
      [tiny, /no free network/],
    ] as const) {
      await assert.rejects(take(server), (error: Error) => {
        assert.equal(kindOf(error), 'CapacityExceeded');
        assert.match(error.message, what);
        return true;
      });
    }
  });
});
