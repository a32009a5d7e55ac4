import { and, asc, eq, gt, inArray, isNotNull, isNull, lt, or } from 'drizzle-orm';
import type { Db, Tx } from '../../../db/database.js';
import { clients, operations, servers } from '../../../db/schema/index.js';
import type { LockClientParams } from '../../../workflows/contract/clients/licenses.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { noticeCertificate } from '../../operation/notices.js';
import { writeFor } from '../../operation/operation-write.js';
import { statusesWith } from '../../../workflows/contract/clients/statuses.js';

const DAY_MS = 86_400_000;
/** certbot renews by itself 30 days before; what it has not renewed a week later is asked for again. */
const RENEWED_BY_MS = 23 * DAY_MS;

export async function recordIssued(
  db: Db,
  step: StepContext,
  { clientId, expiresAt }: { clientId: number; expiresAt: Date },
): Promise<void> {
  await writeFor(db, step, (tx) => writeIssued(tx, clientId, expiresAt));
}

/** People are told once, when it fails first, not every night. */
export async function recordFailed(
  db: Db,
  step: StepContext,
  { clientId, error }: { clientId: number; error: Error },
): Promise<void> {
  await writeFor(db, step, async (tx) => {
    const [row] = await tx.select().from(clients).where(eq(clients.id, clientId)).for('update');
    if (row === undefined) return;
    if (row.certificate !== 'failed') {
      const [operation] = await tx.select().from(operations).where(eq(operations.id, step.operation));
      if (operation !== undefined) await noticeCertificate(tx, operation, error);
    }
    await writeFailed(tx, clientId, error.message);
  });
}

export async function writeIssued(db: Db | Tx, clientId: number, expiresAt: Date): Promise<void> {
  await db
    .update(clients)
    .set({
      certificate: 'issued',
      certificateError: null,
      certificateExpiresAt: expiresAt,
      certificateCheckedAt: new Date(),
    })
    .where(eq(clients.id, clientId));
}

export async function writeFailed(db: Db | Tx, clientId: number, message: string): Promise<void> {
  await db
    .update(clients)
    .set({ certificate: 'failed', certificateError: message, certificateCheckedAt: new Date() })
    .where(eq(clients.id, clientId));
}

/** Clients of servers whose certificates certbot gets. */
const asked = () =>
  and(
    inArray(clients.status, [...statusesWith('present')]),
    isNotNull(clients.names),
    eq(servers.active, true),
    isNotNull(servers.sshHostKey),
    eq(servers.tls, 'auto'),
    isNull(servers.tlsCert),
  );

/** Those that have none, or one that nobody has renewed. */
export async function listDue(db: Db, limit: number): Promise<LockClientParams[]> {
  return db
    .select({ clientId: clients.id, serverId: clients.serverId })
    .from(clients)
    .innerJoin(servers, eq(servers.id, clients.serverId))
    .where(
      and(
        asked(),
        or(
          isNull(clients.certificate),
          eq(clients.certificate, 'failed'),
          lt(clients.certificateExpiresAt, new Date(Date.now() + RENEWED_BY_MS)),
        ),
      ),
    )
    .orderBy(asc(clients.certificateCheckedAt), asc(clients.id))
    .limit(limit);
}

/** One page of those that have one, by id. */
export async function listIssued(db: Db, { after, limit }: { after: number; limit: number }) {
  const rows = await db
    .select({ id: clients.id, names: clients.names, host: servers.host })
    .from(clients)
    .innerJoin(servers, eq(servers.id, clients.serverId))
    .where(and(asked(), eq(clients.certificate, 'issued'), gt(clients.id, after)))
    .orderBy(asc(clients.id))
    .limit(limit);
  return rows.flatMap(({ names, ...row }) => (names === null ? [] : [{ ...row, hostname: names.hostname }]));
}
