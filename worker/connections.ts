import { eq } from 'drizzle-orm';
import type { Connections } from '../activities/clients/connections.js';
import { requireOpen } from '../activities/operation/operation-write.js';
import { createStepOutput } from '../activities/operation/step-output.js';
import type { Ssh } from '../activities/ssh/types.js';
import type { Db } from '../db/database.js';
import { findClientChange, keepFormerSettings } from '../db/queries/client-changes.js';
import { listFormerHosts } from '../db/queries/client-places.js';
import { findServer } from '../db/queries/servers.js';
import { clients } from '../db/schema/index.js';
import type { Secrets } from '../db/secrets.js';
import { failure } from '../workflows/contract/operation/failures.js';

export interface ConnectionParts {
  db: Db;
  secrets: Secrets;
  ssh: Ssh;
  checkAddresses: readonly string[];
  graceDays?: number;
}

/** What activities on servers reach the world through. */
export function createConnections(parts: ConnectionParts): Connections {
  const { db, secrets, ssh, checkAddresses, graceDays = 0 } = parts;
  return {
    graceDays,
    ssh,
    checkAddresses,
    servers: {
      get: async (id) => (await findServer(db, id)) ?? missing(`server ${id}`),
    },
    clients: {
      // also a deleted one: the end of its own delete tidies up
      get: async (id) => (await clientRow(db, id)) ?? missing(`client ${id}`),
      formerHosts: (client) => listFormerHosts(db, client),
    },
    changes: {
      get: async (change) => (await findClientChange(db, change))?.changes,
      keepSettings: ({ change, clientId, former }) =>
        keepFormerSettings(db, { operationId: change, clientId, formerSettings: former }),
      formerSettings: async (change) => (await findClientChange(db, change))?.formerSettings ?? null,
    },
    requireOpen: (step) => requireOpen(db, step),
    secrets: {
      reveal: async (id) => (await secrets.reveal(db, id)) ?? missing(`secret ${id}`),
    },
    output: createStepOutput({ db, secrets }),
  };
}

async function clientRow(db: Db, id: number) {
  const [row] = await db.select().from(clients).where(eq(clients.id, id));
  return row;
}

function missing(what: string): never {
  throw failure('NotFound', `${what} does not exist any more`);
}
