import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { ADMIN_PASSWORD_SIGNAL } from '../../workflows/contract/clients/clients.js';
import type { OperationInput } from '../../workflows/contract/operation/operation.js';
import type { OperationPlan } from '../../workflows/contract/operation/plan.js';
import type { ProbeInput, ProbeResults } from '../../workflows/contract/servers/probes.js';
import type { DecisionPayload } from '../../workflows/contract/operation/signals.js';
import type { StandInActivities } from './stand-in-activities.js';

const { begin, decided, finish } = proxyActivities<StandInActivities>({ startToCloseTimeout: '10s' });

/** Stands in for every operation: claims its row, takes signals, ends when it is told to. */
async function standIn(input: OperationInput<unknown>): Promise<OperationPlan | undefined> {
  if (input.plan === true) return { steps: [] };
  const id = input.operation?.id ?? '';
  const passwords: unknown[] = [];
  let done = false;
  let deaf = false;
  let goingOn = false;
  const pending: { action: string; payload: DecisionPayload }[] = [];
  setHandler(defineQuery('passwords'), () => passwords);
  setHandler(defineQuery('view'), () => ({
    id,
    title: 'asked just now',
    subject: workflowInfo().workflowId,
  }));
  setHandler(defineSignal<[unknown]>(ADMIN_PASSWORD_SIGNAL), (payload) => {
    passwords.push(payload);
    done ||= deaf;
  });
  // its story is over: it ends, whatever still arrives
  setHandler(defineSignal('deaf'), () => {
    deaf = true;
  });
  setHandler(defineSignal('go-on-as-new'), () => {
    goingOn = true;
  });
  setHandler(defineSignal('finish'), () => {
    done = true;
  });
  for (const action of ['retry', 'skip', 'rollback']) {
    setHandler(defineSignal<[DecisionPayload]>(action), (payload) => void pending.push({ action, payload }));
  }
  await begin(id, workflowInfo().firstExecutionRunId);
  for (;;) {
    await condition(() => done || goingOn || pending.length > 0);
    if (goingOn) await continueAsNew<typeof standIn>(input);
    const next = pending.shift();
    if (next === undefined) break;
    await decided(id, next.action, next.payload);
  }
  await finish(id);
  // between the recorded end and the free subject
  await sleep(300);
  return undefined;
}

export {
  standIn as cleanup,
  standIn as createClient,
  standIn as deleteClient,
  standIn as deployServer,
  standIn as mailClient,
  standIn as migrateAll,
  standIn as pauseClient,
  standIn as rebootClient,
  standIn as resumeClient,
  standIn as reconfigurate,
  standIn as refreshClient,
  standIn as setAdminPassword,
  standIn as setDemo,
  standIn as setExpireDate,
  standIn as setMaintenance,
  standIn as switchAll,
  standIn as updateClient,
  standIn as buildImage,
  standIn as buildMasterForAll,
  standIn as pruneServer,
  standIn as rebootServer,
  standIn as migrateClient,
  standIn as switchClient,
  standIn as copyClient,
  standIn as moveClient,
  standIn as removeKeptSource,
};

const READ_AT = '2031-01-31T12:00:00.000Z';

/** Answers by the host's name: `dead` never, everything else at once. A server whose id ends with 7 may not be rebooted. */
export async function probe({ kind, target, serverId }: ProbeInput): Promise<ProbeResults[typeof kind]> {
  if (target?.host.startsWith('dead')) await sleep('1 hour');
  if (kind === 'versions') return { readAt: READ_AT, versions: ['1.3-master', '1.4-master'] };
  if (kind === 'reboot_right') return { readAt: READ_AT, allowed: String(serverId).at(-1) !== '7' };
  if (kind === 'images') {
    return {
      readAt: READ_AT,
      images: [
        {
          tag: '1.3-master',
          id: 'sha256:1',
          sizeBytes: 5,
          createdAt: READ_AT,
          branch: 'master',
          commit: '0f3',
        },
      ],
    };
  }
  if (kind === 'load') {
    return {
      readAt: READ_AT,
      loadAverage: [0.1, 0.2, 0.3],
      cpus: 4,
      memoryTotalBytes: 8,
      memoryAvailableBytes: 4,
      diskTotalBytes: 100,
      diskFreeBytes: 50,
      dockerVersion: '27.3.1',
      containersRunning: 1,
      containersTotal: 2,
      images: 3,
      uptimeSeconds: 60,
    };
  }
  const hidden = target?.host.startsWith('keyless') ?? false;
  return {
    readAt: READ_AT,
    reachable: !hidden,
    hostKey: hidden ? null : `SHA256:${'a'.repeat(43)}`,
    lines: [{ key: 'git', ok: true, level: 'ok', found: '2.39', need: 'git', fix: '' }],
  };
}
