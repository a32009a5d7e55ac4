import { eq } from 'drizzle-orm';
import type { Queries } from '../../../db/database.js';
import { clients, servers } from '../../../db/schema/index.js';
import type { ClientThing, ThingToRemove } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { asksForCertificates } from '../certificate-files.js';

type Made = Pick<typeof clients.$inferSelect, 'names' | 'operationId' | 'movedBy'>;

/** What `thingOf` reads of a client's row. */
export const MADE = { names: clients.names, operationId: clients.operationId, movedBy: clients.movedBy };

/** A client's things where it is now: they bear the mark of its create, or of the last move. Null: nothing was ever made. */
export function thingOf({ names, operationId, movedBy }: Made): ClientThing | null {
  const operation = movedBy ?? operationId;
  return names === null || operation === null ? null : { names, operation };
}

/** `NotFound` where nothing was ever made. */
export function requireThing(row: Made & { id: number }): ClientThing {
  const thing = thingOf(row);
  if (thing === null) throw failure('NotFound', `client ${row.id} has no environment`);
  return thing;
}

/** With what its server keeps of it outside Docker, SQL and nginx. */
export async function withCertificate(
  db: Queries,
  { names, operation }: ClientThing,
): Promise<ThingToRemove> {
  const [server] = await db.select().from(servers).where(eq(servers.id, names.serverId));
  const certified = server !== undefined && asksForCertificates(server);
  return { names, operation, ...(certified ? { certificate: true } : {}) };
}
