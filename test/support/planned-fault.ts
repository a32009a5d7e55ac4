import type { Client } from '@temporalio/client';
import { eq } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { clients, servers } from '../../db/schema/index.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';

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
/** Those that need no worker of their own. */
export const INJECTED = FAULTS.slice(0, 4);

export interface Plan {
  step: string;
  fault: Fault;
}

/** Every fault in every step of every operation: `SLIPWAY_TEST_WHOLE=true npm test`, which takes more than an hour. */
export const WHOLE = process.env['SLIPWAY_TEST_WHOLE'] === 'true';

/** A plan's step: it happens in every one. */
export const EACH_STEP = 'each';

/**
 * Faults in the steps of an operation: a failure of the steps `chosen`, each with a way of its own to be undone, which of
 * the main job are all; a cancel of the steps `cancelled`, which have something running. Each answer is lost in one
 * operation, as it goes on after each. A failure before an act's effect is left out, because it leaves less than one after
 * it.
 */
export function sagaRows(
  steps: readonly string[],
  { chosen, cancelled }: { chosen: readonly string[]; cancelled: readonly string[] },
): Plan[] {
  const rows = (fault: Fault, of: readonly string[]): Plan[] => of.map((step) => ({ step, fault }));
  if (WHOLE) return INJECTED.flatMap((fault) => rows(fault, steps));
  return [
    ...rows('fails after its effect', chosen),
    { step: EACH_STEP, fault: 'loses its answer' },
    ...rows('is cancelled', cancelled),
  ];
}

/** Before the commit a failed or cancelled operation goes back; in every other case it comes to its end. */
export function goesBack({ step, fault }: Plan, beforeCommit: readonly string[]): boolean {
  return fault !== 'loses its answer' && beforeCommit.includes(step);
}

/** Lets what is planned for a step's operation happen to its act, once. */
export async function injectPlanned(
  point: 'before' | 'after',
  step: StepContext,
  { client, planOf }: { client: Client; planOf(step: StepContext): PlanOrNone | Promise<PlanOrNone> },
): Promise<void> {
  if (step.phase !== 'do' || step.attempt > 1 || step.try > 1) return;
  const plan = await planOf(step);
  if (plan === undefined || (plan.step !== step.step && plan.step !== EACH_STEP)) return;
  if (point === 'after') {
    if (plan.fault === 'fails after its effect') throw failure('CommandFailed', 'injected after');
    if (plan.fault === 'loses its answer') throw failure('Unavailable', 'injected loss');
    return;
  }
  if (plan.fault === 'fails before its effect') throw failure('CommandFailed', 'injected before');
  if (plan.fault === 'is cancelled') await client.workflow.getHandle(step.subject).cancel();
}

type PlanOrNone = Plan | undefined;

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
  const named = steps.split(' ');
  return fault !== undefined && (named.includes(step) || named.includes(EACH_STEP))
    ? { step, fault }
    : undefined;
}
