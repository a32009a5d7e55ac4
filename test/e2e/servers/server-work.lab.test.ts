import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { clients, operations } from '../../../db/schema/index.js';
import type { LabHost } from '../../../lab/host.js';
import { pollUntil } from '../../../process/poll.js';
import type { PruneResult, RebootResult } from '../../../workflows/contract/servers/server-work.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { census } from '../../support/census.js';
import { hostnameOf } from '../../support/client-checks.js';
import { type KillableWorker, startKillableWorker } from '../../support/killable-worker.js';
import { noLab } from '../../support/lab.js';
import { getPage } from '../../support/neighbour.js';
import { startOwnHost } from '../../support/own-hosts.js';
import {
  FAULTS,
  type Fault,
  INJECTED,
  injectPlanned,
  serverNameFor,
  WHOLE,
} from '../../support/planned-fault.js';
import { openSystem, operationOf, type System } from '../../support/system.js';

const VERSIONS = {
  newest: ['1.3-master', '1.2-master', '1.9-dev', '1.8-dev'],
  running: '1.1-master',
  stopped: '1.0-master',
  failed: '1.7-dev',
  held: '1.6-dev',
  foreign: '1.5-dev',
  foreignById: '1.4-dev',
  nobody: ['0.9-master', '0.8-dev'],
};
const EVERY = Object.values(VERSIONS).flat();
const REBOOT_STEPS = ['ready', 'reboot', 'start', 'check'];
const DURING = FAULTS[4] as Fault;

const ENDED_MS = 120_000;

/** A busy machine needs longer than an operation on a client does. */
const ended = (of: System, id: string) => of.until(id, 'end', ({ endedAt }) => endedAt !== null, ENDED_MS);

describe('work on a whole server', { skip: noLab }, () => {
  let host: LabHost;
  let system: System;
  let server: number;
  let running: number;
  let stopped: number;
  /** what happens before a step begins, once */
  let beforeStep: ((step: StepContext) => Promise<void>) | undefined;
  /** what happens in each step but the first, once */
  let inEachStep: Fault | undefined;

  before(async () => {
    host = await startOwnHost({ name: 'work', versions: EVERY });
    system = await openSystem({
      slot: 83,
      limits: { forwardRetryMs: 500 },
      inject: async (point, step) => {
        if (point === 'before') await beforeStep?.(step);
        const fault = step.step === 'ready' ? undefined : inEachStep;
        const planOf = () => (fault === undefined ? undefined : { step: step.step, fault });
        await injectPlanned(point, step, { client: system.client, planOf });
      },
    });
    server = await system.addServer(host);
    [running, stopped] = await Promise.all([addClient(VERSIONS.running), addClient(VERSIONS.stopped)]);
    // with its own policy Docker itself would start it at each boot
    await host.exec(`docker update --restart no client${stopped} && docker stop --time 1 client${stopped}`);
  });
  after(async () => {
    await system?.close();
    await host?.stop();
  });

  async function addClient(version: string): Promise<number> {
    const { id, operation } = await system.addClient(server, { version_tag: version });
    const view = await ended(system, operation);
    assert.equal(view.state, 'succeeded', JSON.stringify(view));
    return id;
  }

  const tags = async (): Promise<string[]> => {
    const { stdout } = await host.exec("docker image ls --format '{{.Tag}}' slipway-sample");
    return stdout.trim().split('\n').sort();
  };

  describe('prune', () => {
    before(async () => {
      const { db } = system.database;
      const [row] = await db.select().from(clients).limit(1);
      assert.ok(row);
      const { id: _, ...copied } = row;
      const failed = { status: 'failed' as const, versionTag: VERSIONS.failed, subdomain: 'failed' };
      await db.insert(clients).values({ ...copied, ...failed, port: null, subnetIndex: null, names: null });
      // one that waits for a person has no admission, and may go on with its version at any time
      await db.insert(operations).values({
        id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
        kind: 'switch_client',
        subject: `client:${running}`,
        title: 'Switch',
        actor: 'admin',
        state: 'holding',
        places: [`server:${server}`],
        input: { params: { clientId: running, serverId: server, versionTag: VERSIONS.held } },
      });
      await host.exec(`
docker create --name foreign slipway-sample:${VERSIONS.foreign}
docker create --name foreign-by-id "$(docker image ls -q --no-trunc slipway-sample:${VERSIONS.foreignById})"
docker volume create kept && docker volume create --label slipway.client=client${stopped} kept-too
printf 'FROM busybox\\nRUN echo layer > /layer\\n' | docker build -`);
    });

    it('removes what nobody needs, and says so; nothing of any client, running or not, and no volume', async () => {
      const before = await census(host);
      assert.deepEqual(await tags(), [...EVERY].sort());
      const view = await ended(system, operationOf(await system.call('GET', `/containers/${server}/prune`)));
      assert.equal(view.state, 'succeeded', JSON.stringify(view));
      const { removed, kept, freedBytes } = view.result as PruneResult;
      assert.deepEqual(removed, VERSIONS.nobody.map((tag) => `slipway-sample:${tag}`).sort());
      const rest = EVERY.filter((tag) => !VERSIONS.nobody.includes(tag)).sort();
      assert.deepEqual(await tags(), rest);
      assert.deepEqual(
        kept,
        rest.map((tag) => `slipway-sample:${tag}`),
      );
      assert.ok(freedBytes > 1_000_000, `${freedBytes} bytes`);
      const { stdout } = await host.exec(
        'docker image ls -q --filter dangling=true; docker image ls -q busybox',
      );
      assert.equal(stdout.trim().split('\n').length, 1, 'layers without a name go, other images stay');
      const after = await census(host);
      assert.deepEqual([after.containers.length, after.volumes], [before.containers.length, before.volumes]);
    });

    it('keeps all that is left when it is asked again', async () => {
      const before = await tags();
      const view = await ended(
        system,
        operationOf(await system.call('POST', `/containers/${server}/prune/`)),
      );
      assert.deepEqual((view.result as PruneResult).removed, []);
      assert.deepEqual(await tags(), before);
    });
  });

  describe('reboot', () => {
    const assertUp = async (view: OperationView, formerBoot: string, ids: number[], of = system) => {
      assert.equal(view.state, 'succeeded', JSON.stringify(view));
      const { bootId, clients: answers } = view.result as RebootResult;
      assert.notEqual(bootId, formerBoot);
      assert.deepEqual(
        answers.map(({ clientId, ok, status }) => [clientId, ok, status]),
        ids.map((id) => [id, true, 200]),
      );
      for (const id of ids) {
        const page = await getPage({ address: host.address, hostname: await hostnameOf(of, id) });
        assert.equal(page.status, 200);
      }
    };

    it('is refused without the right to it, and nothing is started', async () => {
      await host.exec(
        'mv /etc/sudoers.d/slipway /root/; grep -v reboot /root/slipway > /etc/sudoers.d/slipway; chmod 440 /etc/sudoers.d/slipway',
      );
      const refused = await system.call('POST', `/servers/${server}/reboot_server`);
      assert.deepEqual([refused.status, refused.body['code']], [422, 'cannot_reboot']);
      const plan = await system.call('POST', `/servers/${server}/reboot_server?plan=true`);
      assert.deepEqual([plan.status, plan.body['code'], plan.body['step']], [422, 'check_refused', 'ready']);
      await host.exec('mv /root/slipway /etc/sudoers.d/slipway');
    });

    it('waits for another boot, starts what should run, and reports each client', async () => {
      const former = await host.bootId();
      const view = await ended(
        system,
        operationOf(await system.call('GET', `/server/${server}/reboot_server`)),
      );
      await assertUp(view, former, [running, stopped].sort());
      assert.equal((view.result as RebootResult).started, 1);
      assert.equal((view.result as RebootResult).bootId, await host.bootId());
    });

    it('goes on when the host goes down once more while its clients are started', async () => {
      const former = await host.bootId();
      let again = false;
      beforeStep = async (step) => {
        if (step.step !== 'start' || again) return;
        again = true;
        await host.kill();
        void host.start();
      };
      const view = await ended(
        system,
        operationOf(await system.call('POST', `/servers/${server}/reboot_server`)),
      );
      beforeStep = undefined;
      assert.ok(again);
      await assertUp(view, former, [running, stopped].sort());
    });

    for (const fault of WHOLE ? INJECTED : (['fails after its effect', 'loses its answer'] as const)) {
      it(`reboots once, and comes to its end, when each step ${fault}`, async () => {
        inEachStep = fault;
        try {
          const former = await host.bootId();
          const operation = operationOf(await system.call('POST', `/servers/${server}/reboot_server`));
          const next = await nextBoot(former);
          const view = await ended(system, operation);
          await assertUp(view, former, [running, stopped].sort());
          assert.equal((view.result as RebootResult).bootId, next);
          assert.equal(await host.bootId(), next, 'it was rebooted more than once');
          const ignored = view.decisions.filter(({ ignored: why }) => why === 'past_commit');
          assert.equal(ignored.length > 0, fault === 'is cancelled', JSON.stringify(view.decisions));
        } finally {
          inEachStep = undefined;
        }
      });
    }

    async function nextBoot(former: string): Promise<string> {
      await pollUntil({
        what: 'the next boot',
        deadlineMs: 60_000,
        probe: async () => (await host.bootId()) !== former || undefined,
      });
      await host.waitUntilReady();
      return host.bootId();
    }

    it('goes on when its worker dies in each step, and reboots once', async () => {
      const own = await openSystem({ slot: 84, worker: false });
      const worker: KillableWorker = await startKillableWorker(own);
      try {
        const id = await own.addServer(host, { name: serverNameFor({ steps: REBOOT_STEPS, fault: DURING }) });
        const made = await own.addClient(id, { version_tag: VERSIONS.running });
        assert.equal((await ended(own, made.operation)).state, 'succeeded');
        const former = await host.bootId();
        const operation = operationOf(await own.call('POST', `/servers/${id}/reboot_server`));
        const next = await nextBoot(former);
        const view = await ended(own, operation);
        assert.equal(worker.deaths(), REBOOT_STEPS.length, 'the worker did not die as planned');
        await assertUp(view, former, [made.id], own);
        assert.equal((view.result as RebootResult).bootId, next, 'it was rebooted more than once');
      } finally {
        await worker.stop();
        await own.close();
      }
    });
  });
});
