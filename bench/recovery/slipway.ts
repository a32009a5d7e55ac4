import { setTimeout as delay } from 'node:timers/promises';
import { findStep, listSteps } from '../../db/queries/operation-reads.js';
import type { Rig } from '../create-client/rig.js';
import { clientFields } from '../client-fields.js';
import { ended, operationOf, removeBySlipway, told } from '../create-client/slipway.js';
import { effectsOf, repeated } from './effects.js';

export interface Recovery {
  step: string;
  /** the step had begun and not ended; else its end was on record */
  inside: boolean;
  /** milliseconds from the kill to the next end of a step on record */
  resumeMs: number;
  /** milliseconds from the kill to the recorded end of the operation */
  endMs: number;
  repeated: number;
}

/** What the dead worker had sent is on record by then; no other one is there so early. */
const LAST_WORDS_MS = 200;
/** A step of a few milliseconds is met while it runs. */
const LOOK_MS = 1;

interface Recover {
  serverId: number;
  step: string;
  /** killed in the step, or as soon as its end is on record */
  place: 'inside' | 'behind';
  /** milliseconds that it is given before, when inside */
  afterMs: number;
  subdomain: string;
}

/** A create whose worker is killed at a step, and which the next worker brings to its end. */
export async function recoverBySlipway(
  rig: Rig,
  { serverId, step, place, afterMs, subdomain }: Recover,
): Promise<Recovery> {
  const sinceMs = Date.now();
  const answer = await rig.call('POST', '/clients/', { fields: clientFields({ serverId, subdomain }) });
  if (answer.status !== 202) throw new Error(`POST /clients/: ${told(answer)}`);
  const operation = operationOf(answer);
  const inside = await reached(rig, operation, { step, place, afterMs });
  const killedAt = rig.worker.kill();
  const state = await ended(rig, operation);
  const endedAt = Date.now();
  if (state !== 'succeeded') throw new Error(`create of ${subdomain}, killed in ${step}: ${state}`);
  const steps = await listSteps(rig.database.db, operation);
  const later = steps.map((row) => row.endedAt?.getTime() ?? 0).filter((at) => at > killedAt + LAST_WORDS_MS);
  const clientId = Number(answer.body['id']);
  const effects = await effectsOf(rig.host, { name: `client${clientId}`, sinceMs });
  await removeBySlipway(rig, clientId);
  return {
    step,
    inside,
    resumeMs: Math.min(...later, endedAt) - killedAt,
    endMs: endedAt - killedAt,
    repeated: repeated(effects),
  };
}

/** Whether the step was still running then. */
async function reached(
  { database }: Rig,
  operation: string,
  { step, place, afterMs }: Pick<Recover, 'step' | 'place' | 'afterMs'>,
): Promise<boolean> {
  for (;;) {
    const row = await findStep(database.db, operation, step);
    if (row?.endedAt != null) return false;
    if (row !== undefined && place === 'inside') {
      await delay(afterMs);
      return (await findStep(database.db, operation, step))?.endedAt === null;
    }
    await delay(LOOK_MS);
  }
}
