import { setTimeout as delay } from 'node:timers/promises';
import type { Ansible, Tuning } from '../create-client/ansible.js';
import type { Rig } from '../create-client/rig.js';
import { checkFromOutside, nextPeerClient, type Pattern, removePeerClient } from '../create-client/things.js';
import { effectsOf, repeated } from './effects.js';

export interface Rerun {
  /** milliseconds from the kill to the proven end of a second run, which is started at once */
  ms: number;
  repeated: number;
}

interface RerunOptions {
  rig: Rig;
  pattern: Pattern;
  ansible: Ansible;
  tuning: Tuning;
  /** the task that it is killed in */
  task: string;
  /** milliseconds after the task has begun */
  afterMs: number;
}

/** A playbook that is killed on its way, and run again in full: it remembers nothing. */
export async function rerunByAnsible(options: RerunOptions): Promise<Rerun> {
  const { rig, pattern, ansible, tuning, task, afterMs } = options;
  const client = nextPeerClient(pattern, { rerunnable: true });
  const sinceMs = Date.now();
  const first = await ansible.start(tuning, client);
  await first.reaches(task);
  await delay(afterMs);
  first.kill();
  const began = performance.now();
  await first.ended;
  const code = await (await ansible.start(tuning, client)).ended;
  if (code !== 0) throw new Error(`the playbook's second run ended with ${code}`);
  await checkFromOutside(pattern, client.thing);
  const ms = performance.now() - began;
  const effects = await effectsOf(rig.host, { name: client.thing.names.name, sinceMs });
  await removePeerClient(rig, pattern, client.thing);
  return { ms, repeated: repeated(effects) };
}
