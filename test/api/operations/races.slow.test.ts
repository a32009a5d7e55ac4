import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients, operations } from '../../../db/schema/index.js';
import { type Harness, openHarness, pollUntil } from '../harness.js';

const ROUNDS = 12;

interface Body {
  code?: string;
  operation?: { id: string; kind: string; href: string };
}

describe('two operators at one client', () => {
  let api: Harness;
  let clientId: number;
  before(async () => {
    api = await openHarness({ temporal: 'worker' });
    const form = {
      ...{ name: 'web-1', host: '10.0.0.1', domain: 'clients.example.test' },
      ...{ sql_user: 'backend', sql_password: 'sql secret' },
    };
    const server = (await (await api.call('POST', '/servers/', { form })).json()) as { id: number };
    const [row] = await api.db
      .insert(clients)
      .values({
        ...{
          serverId: server.id,
          status: 'active' as const,
          name: 'A',
          adminLogin: 'a',
          email: 'a@b.example',
        },
        ...{ subdomain: 'race', versionTag: '1', billingType: 'demo' },
      })
      .returning({ id: clients.id });
    clientId = row?.id ?? 0;
  });
  after(() => api?.close());

  it(`in ${ROUNDS} races one starts, and the other one is told by 409 what runs`, async () => {
    const json = { password: 'Another-horse-8', confirm_password: 'Another-horse-8' };
    const verbs = [
      (headers: Record<string, string>) => api.call('DELETE', `/clients/${clientId}`, { headers }),
      (headers: Record<string, string>) =>
        api.call('POST', `/clients/${clientId}/admin_password`, { json, headers }),
    ];
    for (let round = 0; round < ROUNDS; round += 1) {
      const order = round % 2 === 0 ? verbs : verbs.toReversed();
      const answers = await Promise.all(
        order.map(async (call, verb) => {
          const headers = { 'Idempotency-Key': `${round}-${verb}` };
          // a start that Temporal did not answer in time is to be sent again
          const response = await pollUntil(async () => {
            const answer = await call(headers);
            return answer.status === 503 ? undefined : answer;
          });
          return { status: response.status, ...((await response.json()) as Body) };
        }),
      );
      const [started, refused] = answers.toSorted((a, b) => a.status - b.status);
      assert.ok([200, 202].includes(started?.status ?? 0), JSON.stringify(answers));
      assert.deepEqual([refused?.status, refused?.code], [409, 'busy'], JSON.stringify(answers));
      assert.equal(refused?.operation?.id, started?.operation?.id);
      assert.equal(refused?.operation?.href, started?.operation?.href);
      await api.temporal.client.workflow.getHandle(`client:${clientId}`).signal('finish');
      await pollUntil(async () => {
        const { status } = await api.temporal.client.workflow.getHandle(`client:${clientId}`).describe();
        return status.name !== 'RUNNING';
      });
      await api.db.update(clients).set({ status: 'active' }).where(eq(clients.id, clientId));
    }
    const rows = await api.db
      .select()
      .from(operations)
      .where(eq(operations.subject, `client:${clientId}`));
    assert.equal(rows.length, ROUNDS, 'a refused start leaves no row');
  });
});
