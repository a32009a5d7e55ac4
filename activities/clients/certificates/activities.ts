import { Context } from '@temporalio/activity';
import type { Db } from '../../../db/database.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import type { LockClientParams } from '../../../workflows/contract/clients/licenses.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import type { Connections } from '../connections.js';
import { createHosts } from '../../hosts/host.js';
import { listKeptSources } from '../records/client-places.js';
import { type AcmeSettings, certbotFailure, issueScript, removeScript } from './certbot.js';
import {
  listDue,
  listIssued,
  recordFailed,
  recordIssued,
  writeFailed,
  writeIssued,
} from './certificate-records.js';
import { readServed } from './served.js';

export interface CertificateOptions {
  db: Db;
  connections: Connections;
  acme: AcmeSettings;
}

export type CertificateActivities = ReturnType<typeof createCertificateActivities>;
export interface IssuedCertificate {
  /** stopped sources of moves, whose visitors are led to the client */
  kept: ClientThing[];
}

export type CertificateSweep = ReturnType<typeof createCertificateSweep>;

/** An authority looks at the server from several places, and each look may take its time. */
const ISSUE_TIMEOUT_MS = 9 * 60_000;
/** certbot is Python and reads every lineage of the host. */
const REMOVE_TIMEOUT_MS = 60_000;

/** Certificates by certbot on the client's server; the lineage bears the client's host name. */
export function createCertificateActivities({ db, connections, acme }: CertificateOptions) {
  const { servers } = connections;
  const hosts = createHosts(connections);

  /** The row tells what failed for good; what is tried again tells nothing yet. */
  const recorded = async <Result>(
    { names: { clientId } }: ClientThing,
    step: StepContext,
    act: () => Promise<Result>,
  ): Promise<Result> => {
    try {
      return await act();
    } catch (error) {
      if (!step.signal.aborted && ['CommandFailed', 'InvalidInput'].includes(kindOf(error)))
        await recordFailed(db, step, { clientId, error: error as Error });
      throw error;
    }
  };

  return {
    /** Gets the certificate, or keeps one that lasts. It is never undone: authorities limit how often they are asked. */
    issueCertificate: (thing: ClientThing, step: StepContext): Promise<IssuedCertificate> =>
      recorded(thing, step, async () => {
        const { names } = thing;
        const host = await hosts.open(names.serverId, step, ['nginx']);
        const { server, facts } = host;
        const { hostname } = names;
        await hosts.runJob(host, step, {
          script: issueScript({ server, hostname, nginx: facts.nginx.at(-1) ?? 'nginx', acme }),
          timeoutMs: ISSUE_TIMEOUT_MS,
          failed: (exit) => certbotFailure(exit, { server, hostname }),
        });
        return { kept: await listKeptSources(db, names.clientId) };
      }),

    /** Looks at the certificate that nginx serves under the client's name, and records until when it lasts. */
    checkCertificate: (thing: ClientThing, step: StepContext): Promise<{ expiresAt: string }> =>
      recorded(thing, step, async () => {
        const { clientId, serverId, hostname } = thing.names;
        const { host } = await servers.get(serverId);
        const { expiresAt } = await readServed({ host, hostname, signal: step.signal });
        await recordIssued(db, step, { clientId, expiresAt });
        step.summarize(`until ${expiresAt.toISOString()}`);
        return { expiresAt: expiresAt.toISOString() };
      }),

    /** For deleting a client: nothing there is no failure. `Conflict` while nginx still names it. */
    removeCertificate: async ({ names }: ClientThing, step: StepContext): Promise<void> => {
      const host = await hosts.open(names.serverId, step, []);
      const { server, facts } = host;
      const { hostname } = names;
      await hosts.run(host, step, removeScript({ hostname, nginx: facts.nginx }), {
        timeoutMs: REMOVE_TIMEOUT_MS,
        failed: (exit) => certbotFailure(exit, { server, hostname }),
      });
    },
  };
}

/** Pages of a few seconds. */
const PAGE = 200;
const LOOKS_AT_ONCE = 16;

/** What the nightly sweep asks about certificates; no step of any operation. */
export function createCertificateSweep(db: Db) {
  return {
    /** Clients that still need a certificate, those first that have waited longest. */
    listCertificatesDue: ({ limit }: { limit: number }): Promise<LockClientParams[]> => listDue(db, limit),

    /** Reads anew until when the certificates of a page of clients last, as they are served now. */
    async readCertificates({ after }: { after: number }): Promise<{ next: number | null }> {
      const { cancellationSignal: signal } = Context.current();
      const page = await listIssued(db, { after, limit: PAGE });
      const queue = page.values();
      const lane = async () => {
        for (const { id, host, hostname } of queue) {
          try {
            await writeIssued(db, id, (await readServed({ host, hostname, signal })).expiresAt);
          } catch (error) {
            signal.throwIfAborted();
            // asked for again tonight; when that fails too, people are told
            await writeFailed(db, id, (error as Error).message);
          }
        }
      };
      await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, lane));
      return { next: page.length < PAGE ? null : (page.at(-1)?.id ?? null) };
    },
  };
}
