import type { Client } from '@temporalio/client';
import postgres from 'postgres';
import { freePort } from '../../process/free-port.js';
import { pollUntil } from '../../process/poll.js';
import { type Api, type Services } from '../services.js';
import { clientFields } from '../client-fields.js';

export const HELD = 50;
/** Fifty first steps, one after the other on a busy machine. */
const HOLD_MS = 90_000;

/** Creates on a server where nothing listens, until each of them waits for a person. */
export async function holdOperations(services: Services, api: Api): Promise<void> {
  const serverId = await addUnreachableServer(services.postgres.url);
  for (let count = 1; count <= HELD; count += 1) {
    const fields = clientFields({ serverId, subdomain: `held${count}` });
    const { status, body } = await api.call('POST', '/clients/', { fields });
    if (status !== 202) throw new Error(`POST /clients/: ${status} ${JSON.stringify(body)}`);
  }
  await pollUntil({
    what: `${HELD} operations hold`,
    deadlineMs: HOLD_MS,
    everyMs: 250, // each is a list
    probe: async () => {
      const { body } = await api.call('GET', '/operations?state=holding&limit=100');
      return (body['data'] as unknown[]).length === HELD ? true : undefined;
    },
  });
}

async function addUnreachableServer(url: string): Promise<number> {
  const sql = postgres(url, { max: 1 });
  const [row] = await sql<{ id: number }[]>`
    insert into servers (name, host, domain, ssh_port, ssh_host_key, ssh_host_key_confirmed, sql_host, sql_port, sql_user,
      sql_password, product, tls)
    values ('away', '127.0.0.1', 'bench.example.test', ${await freePort()}, 'SHA256:none', true, '127.0.0.1', 3306,
      'slipway', 'none', 'sample', 'off')
    returning id`;
  await sql.end();
  return row?.id ?? Number.NaN;
}

/** As many workflows of the bare worker, which wait like those operations. */
export async function holdBare(client: Client, taskQueue: string): Promise<void> {
  for (let count = 1; count <= HELD; count += 1) {
    await client.workflow.start('waiting', { workflowId: `waiting-${count}`, taskQueue });
  }
  await pollUntil({
    what: `${HELD} bare workflows wait`,
    deadlineMs: HOLD_MS,
    everyMs: 250,
    probe: async () => {
      for (let count = 1; count <= HELD; count += 1) {
        const { raw } = await client.workflow.getHandle(`waiting-${count}`).describe();
        const pending = raw.pendingActivities?.length ?? 0;
        // started, scheduled, its activity done and the timer set
        if (pending > 0 || Number(raw.workflowExecutionInfo?.historyLength) < 10) return undefined;
      }
      return true;
    },
  });
}
