import { eq } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { clients, servers } from '../../db/schema/index.js';

export const FAULTS = [
  'fails before its effect',
  'fails after its effect',
  'loses its answer',
  'is cancelled',
  'loses its worker while it runs',
  'loses its worker after its effect',
  'is frozen with its worker, and overtaken',
  'has its SSH connection cut while it runs',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Plan {
  step: string;
  fault: Fault;
}

/** The plan travels in the subdomain, so that it is there before the operation's first step. */
export function subdomainFor({ step, fault }: Plan): string {
  return `f${FAULTS.indexOf(fault)}-${step}`;
}

/** What shall happen to the operation on `client:<id>`, if anything. `once`: plans never change. */
export function planReader(db: Db, { once = true } = {}): (subject: string) => Promise<Plan | undefined> {
  const known = new Map<string, Plan | undefined>();
  return async (subject) => {
    if (!once || !known.has(subject)) {
      const [row] = await db
        .select({ subdomain: clients.subdomain })
        .from(clients)
        .where(eq(clients.id, Number(subject.split(':')[1])));
      const [, index, step] = /^f(\d)-(.+)$/.exec(row?.subdomain ?? '') ?? [];
      const fault = FAULTS[Number(index)];
      known.set(subject, step === undefined || fault === undefined ? undefined : { step, fault });
    }
    return known.get(subject);
  };
}

/** For operations on servers it travels in the server's name, and may be of several steps. */
export function serverNameFor({ steps, fault }: { steps: readonly string[]; fault: Fault }): string {
  return `f${FAULTS.indexOf(fault)} ${steps.join(' ')}`;
}

/** What shall happen to a step of the operation on `server:<id>`, if anything; a server's name changes between cases. */
export async function readServerPlan(db: Db, subject: string, step: string): Promise<Plan | undefined> {
  const [row] = await db
    .select({ name: servers.name })
    .from(servers)
    .where(eq(servers.id, Number(subject.split(':')[1])));
  const [, index, steps = ''] = /^f(\d) (.+)$/.exec(row?.name ?? '') ?? [];
  const fault = FAULTS[Number(index)];
  return fault !== undefined && steps.split(' ').includes(step) ? { step, fault } : undefined;
}
