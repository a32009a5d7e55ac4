import { CREATE_CLIENT_STEPS } from '../../test/support/create-client-steps.js';
import { type Ansible, openAnsible, type Tuning } from '../create-client/ansible.js';
import { log, withClosers, writeResult } from '../benchmark.js';
import { describeEnvironment } from '../create-client/environment.js';
import { type Rig, startRig } from '../create-client/rig.js';
import { addServer, createBySlipway, removeBySlipway } from '../create-client/slipway.js';
import { type Pattern, readPattern } from '../create-client/things.js';
import { readLoad } from '../environment.js';
import { rerunByAnsible } from './ansible.js';
import { metricsOf, printReport, type Samples } from './report.js';
import { recoverBySlipway } from './slipway.js';

/** The faster of the tuned ones, in the benchmark of whole creates. */
const TUNING: Tuning = 'mitogen';
/** No password is given, hence no mail is sent. */
const STEPS = CREATE_CLIENT_STEPS.filter((step) => step !== 'mail');
/** Slipway's own, beside what a playbook does. */
const WITHOUT_PEER = ['reserve', 'outside-check', 'activate'];

/** B5: the executor is killed in each step of a create; what is measured is how soon and how cleanly it goes on. */
export async function benchRecovery({ repeats }: { repeats: number }): Promise<void> {
  await withClosers(async (closers) => {
    const rig = await startRig(log);
    closers.push(() => rig.close());
    const serverId = await addServer(rig);
    const warm = await createBySlipway(rig, { serverId, subdomain: 'warm' });
    await removeBySlipway(rig, warm.clientId);
    const { clientId, parts } = await createBySlipway(rig, { serverId, subdomain: 'pattern' });
    const pattern = await readPattern(rig, clientId, serverId);
    await removeBySlipway(rig, clientId);
    const ansible = await openAnsible({ rig, pattern, log });
    closers.push(() => ansible.close());
    const loads = [await readLoad()];
    const samples = await measure({ rig, serverId, pattern, parts, ansible }, repeats);
    loads.push(await readLoad());
    const peers = ansible.versions;
    const environment = await describeEnvironment({ host: rig.host, peers, loads, repeats });
    printReport(samples, environment);
    await writeResult({ name: 'recovery', environment, metrics: metricsOf(samples) });
  });
}

interface Place {
  rig: Rig;
  serverId: number;
  pattern: Pattern;
  /** milliseconds of each step when nobody is killed */
  parts: Map<string, number>;
  ansible: Ansible;
}

/** Both in turn in every step; two rounds kill in each step and behind it. */
async function measure({ rig, serverId, pattern, parts, ansible }: Place, repeats: number): Promise<Samples> {
  const samples: Samples = { slipway: [], ansible: new Map() };
  for (let round = 0; round < repeats; round += 1) {
    for (const [index, step] of STEPS.entries()) {
      const place = (index + round) % 2 === 0 ? 'inside' : 'behind';
      // in its midst, where an effect is half done or done and not yet told
      const afterMs = (parts.get(step) ?? 0) / 2;
      const subdomain = `r${round}-${step}`;
      const recovery = await recoverBySlipway(rig, { serverId, step, place, afterMs, subdomain });
      samples.slipway.push(recovery);
      const { resumeMs, endMs, inside, repeated } = recovery;
      log(
        `${round + 1} ${step}: next step ${resumeMs} ms, end ${endMs} ms, ${inside ? 'inside' : 'behind'}, ${repeated} repeated`,
      );
      if (WITHOUT_PEER.includes(step)) continue;
      const rerun = await rerunByAnsible({ rig, pattern, ansible, tuning: TUNING, task: step, afterMs });
      samples.ansible.set(step, [...(samples.ansible.get(step) ?? []), rerun]);
      log(`${round + 1} ${step}: Ansible run again ${rerun.ms.toFixed(0)} ms, ${rerun.repeated} repeated`);
    }
  }
  return samples;
}
