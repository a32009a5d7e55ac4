import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { eq } from 'drizzle-orm';
import { clients, operations } from '../../../db/schema/index.js';
import { type Harness, openHarness, pollUntil } from '../harness.js';

interface Started {
  id: number;
  operation: { id: string; state: string };
  code?: string;
}

/** Passes everything on to Temporal; its answers get lost on request. */
async function startForgetfulProxy(address: string) {
  const port = Number(address.split(':')[1]);
  const sockets = new Set<Socket>();
  const state = { lost: false };
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined));
    client.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk) => state.lost || client.write(chunk));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    lose: () => {
      state.lost = true;
    },
    /** streams that missed frames are of no use any more */
    find: () => {
      state.lost = false;
      for (const socket of sockets) socket.destroy();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

for (const kind of ['server', 'worker'] as const) {
  describe(`a start whose answer is lost, ${kind === 'worker' ? 'with' : 'without'} a worker`, () => {
    let api: Harness;
    let proxy: Awaited<ReturnType<typeof startForgetfulProxy>>;
    let direct: Connection;
    let client: { id: number };

    before(async () => {
      api = await openHarness({
        temporal: kind,
        through: async (address) => {
          proxy = await startForgetfulProxy(address);
          direct = await Connection.connect({ address });
          return proxy.address;
        },
      });
      const fields = {
        name: 'w',
        host: '10.0.0.9',
        domain: 'c.example.test',
        sql_user: 'u',
        sql_password: 'a password',
      };
      const form = { ...fields, ssh_host_key: `SHA256:${'b'.repeat(43)}` };
      const server = (await (await api.call('POST', '/servers', { form })).json()) as { id: number };
      const common = {
        serverId: server.id,
        status: 'active' as const,
        name: 'A',
        adminLogin: 'a',
        email: 'a@b.example',
      };
      const [row] = await api.db
        .insert(clients)
        .values({ ...common, subdomain: 'lost', versionTag: '1', billingType: 'demo' })
        .returning();
      assert.ok(row);
      client = row;
    });
    after(async () => {
      // a worker's operation would keep the subject in a shared server
      await new Client({ connection: direct }).workflow
        .getHandle(`client:${client.id}`)
        .terminate('end of test');
      await direct.close();
      await api.close();
      proxy.close();
    });

    it('ends as one operation, which an equal request finds', async () => {
      await api.temporal.requireReachable();
      proxy.lose();
      const began = Date.now();
      const first = await api.call('DELETE', `/clients/${client.id}`);
      assert.ok(Date.now() - began < 3_000);
      const rows = await api.db
        .select()
        .from(operations)
        .where(eq(operations.subject, `client:${client.id}`));
      assert.equal(rows.length, 1, 'the row stays');
      if (kind === 'worker') {
        assert.equal(first.status, 202, 'the row showed that the start had arrived');
      } else {
        assert.equal(first.status, 503);
        assert.equal(((await first.json()) as Started).code, 'start_unconfirmed');
        assert.ok(first.headers.get('retry-after'));
      }
      proxy.find();
      const second = await pollUntil(async () => {
        const response = await api.call('DELETE', `/clients/${client.id}`);
        return response.status === 503 ? undefined : response;
      });
      assert.equal(second.status, 200, await second.clone().text());
      const { operation } = (await second.json()) as Started;
      assert.equal(operation.id, rows[0]?.id);
      const description = await new Client({ connection: direct }).workflow
        .getHandle(`client:${client.id}`)
        .describe();
      assert.equal(description.memo?.['operation'], operation.id);
      assert.equal((await api.db.select().from(operations)).length, 1);
      assert.ok((await api.db.select().from(operations))[0]?.confirmedAt);
    });
  });
}
