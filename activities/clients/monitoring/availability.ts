import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { and, asc, eq, gt, inArray, isNotNull, sql } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { clients, servers } from '../../../db/schema/index.js';
import { capText } from '../../../workflows/contract/operation/failures.js';
import type { ClientNames } from '../../../workflows/contract/clients/clients.js';
import { askFrom } from '../../nginx/ask-from.js';
import { loadProfile } from '../product/profile.js';
import { statusesWith } from '../../../workflows/contract/clients/statuses.js';

export type AvailabilityActivities = ReturnType<typeof createAvailability>;

/** Clients of one page; several thousand are asked in seconds. */
const PAGE = 500;
/** A page that takes longer than this is slow for visitors too; nginx and the product answer in milliseconds. */
const ASK_MS = 5_000;
/** An answer that flaps needs no more than one more question. */
const AGAIN_AFTER_MS = 500;
/** Requests at once to one server: its visitors come first. */
const ASKED_PER_SERVER = 4;
/** Servers that are asked at once: with the above, 64 sockets of this process. */
const SERVERS_AT_ONCE = 16;
/** A server that was silent so often in a row is silent for all of its clients. */
const SILENT_IN_A_ROW = 2;
/** One line for a list. */
const ERROR_BYTES = 300;

interface Asked {
  id: number;
  names: ClientNames;
  host: string;
}

interface Seen {
  id: number;
  ok: boolean;
  error: string | null;
}

/** Looks through nginx at every client, as a visitor would. */
export function createAvailability({ db }: { db: Db }) {
  return {
    /** Asks the clients of one page (ids above `after`) for their health path and records the answers. */
    async checkAvailability({ after }: { after: number }): Promise<{ asked: number; next: number | null }> {
      const { heartbeat, cancellationSignal: signal } = Context.current();
      const page = await listAsked(db, after);
      const byHost = new Map<string, Asked[]>();
      for (const one of page) byHost.set(one.host, [...(byHost.get(one.host) ?? []), one]);
      const queue = [...byHost.values()].values();
      const lane = async () => {
        for (const ofServer of queue) {
          await recordSeen(db, await askServer(ofServer, signal, () => heartbeat()));
        }
      };
      await Promise.all(Array.from({ length: SERVERS_AT_ONCE }, lane));
      return { asked: page.length, next: page.length < PAGE ? null : (page.at(-1)?.id ?? null) };
    },
  };
}

async function listAsked(db: Db, after: number): Promise<Asked[]> {
  const rows = await db
    .select({ id: clients.id, names: clients.names, host: servers.host })
    .from(clients)
    .innerJoin(servers, eq(servers.id, clients.serverId))
    .where(
      and(gt(clients.id, after), inArray(clients.status, statusesWith('watched')), isNotNull(clients.names)),
    )
    .orderBy(asc(clients.id))
    .limit(PAGE);
  return rows.flatMap(({ names, ...row }) => (names === null ? [] : [{ ...row, names }]));
}

async function askServer(asked: readonly Asked[], signal: AbortSignal, beat: () => void): Promise<Seen[]> {
  const queue = asked.values();
  const seen: Seen[] = [];
  let silent = 0;
  let silence = '';
  const lane = async () => {
    for (const one of queue) {
      beat();
      const answer =
        silent < SILENT_IN_A_ROW ? await askTwice(one, signal) : { error: silence, answered: false };
      silent = answer.answered ? 0 : silent + 1;
      if (!answer.answered) silence = answer.error ?? '';
      seen.push({ id: one.id, ok: answer.error === null, error: answer.error });
    }
  };
  await Promise.all(Array.from({ length: ASKED_PER_SERVER }, lane));
  return seen;
}

interface Answer {
  error: string | null;
  /** whether nginx said anything at all */
  answered: boolean;
}

async function askTwice(one: Asked, signal: AbortSignal): Promise<Answer> {
  const first = await askOnce(one, signal);
  if (first.error === null) return first;
  await delay(AGAIN_AFTER_MS, undefined, { signal });
  return askOnce(one, signal);
}

async function askOnce({ names, host }: Asked, signal: AbortSignal): Promise<Answer> {
  const { healthPath: path } = loadProfile(names.product);
  try {
    const status = await askFrom({ host, hostname: names.hostname, path, signal, timeoutMs: ASK_MS });
    const error = status >= 200 && status < 400 ? null : `${path} answers ${status}`;
    return { error, answered: true };
  } catch (error) {
    signal.throwIfAborted();
    return { error: capText((error as Error).message, ERROR_BYTES), answered: false };
  }
}

/** What the last failed check said stays when all is well again. */
async function recordSeen(db: Db, seen: readonly Seen[]): Promise<void> {
  if (seen.length === 0) return;
  await db.execute(sql`
    update clients set
      available = seen.ok,
      available_checked_at = now(),
      available_since = case when clients.available is distinct from seen.ok then now() else available_since end,
      available_error = coalesce(seen.error, clients.available_error)
    from jsonb_to_recordset(${JSON.stringify(seen)}::text::jsonb) as seen (id int, ok boolean, error text)
    where clients.id = seen.id and ${inArray(clients.status, statusesWith('watched'))}`);
}
