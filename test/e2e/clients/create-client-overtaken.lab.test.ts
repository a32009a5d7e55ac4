import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { pollUntil } from '../../../process/poll.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { census, traces } from '../../support/census.js';
import { assertHealthy, removeClient } from '../../support/client-checks.js';
import { CREATE_CLIENT_STEPS } from '../../support/create-client-steps.js';
import { cutConnections } from '../../support/cut-connections.js';
import { createGate } from '../../support/gate.js';
import { type KillableWorker, startKillableWorker } from '../../support/killable-worker.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { type Fault, planReader, subdomainFor } from '../../support/planned-fault.js';
import { openSystem, type System } from '../../support/system.js';
import { tableContents } from '../../support/table-contents.js';

const FROZEN: Fault = 'is frozen with its worker, and overtaken';
const CUT: Fault = 'has its SSH connection cut while it runs';
/**
 * Acts that only write records are left out of freezing: one that stands still in a transaction, between two messages to
 * Postgres, keeps its row locked for as long as it does (`activities/late-records` has what it may write afterwards).
 */
const FREEZABLE = CREATE_CLIENT_STEPS.filter((step) => step !== 'reserve' && step !== 'activate');
/** What a thawed attempt still does, it does at once: its connections are there, its timers are overdue. */
const LATE_MS = 3_000;

// one host: what is frozen or cut is the worker and SSH, which do not differ between hosts
for (const { hostName, slot } of [{ hostName: 'maria', slot: 44 }] as const) {
  const host = noLab === false ? sharedHost(hostName) : (undefined as never);

  /** One client for each step, which meets the fault in that step; all meet it at once. */
  async function createAll(
    system: System,
    fault: Fault,
    steps: readonly string[],
  ): Promise<{ id: number; operation: string }[]> {
    const serverId = await system.addServer(host);
    return Promise.all(
      steps.map((step) => system.addClient(serverId, { subdomain: subdomainFor({ step, fault }) })),
    );
  }

  async function endHealthy(system: System, made: { id: number; operation: string }[]): Promise<void> {
    for (const { id, operation } of made) {
      const end = ({ endedAt, state }: { endedAt: string | null; state: string }) =>
        endedAt !== null || state === 'holding';
      await assertHealthy({ system, host, id, view: await system.until(operation, 'end', end, 180_000) });
    }
  }

  describe(`create client on ${hostName}, when its worker is frozen within each step`, {
    skip: noLab,
  }, () => {
    let system: System;
    const workers: KillableWorker[] = [];
    before(async () => {
      system = await openSystem({ slot, worker: false });
    });
    after(async () => {
      for (const worker of workers) await worker.stop();
      await system?.close();
    });

    it('another one takes over; the late attempts write nothing, on the host or anywhere', async () => {
      const frozen = await startKillableWorker(system, FREEZABLE.length);
      workers.push(frozen);
      const made = await createAll(system, FROZEN, FREEZABLE);
      await pollUntil({
        what: 'a worker that is frozen in each step',
        deadlineMs: 180_000,
        probe: () => isStopped(frozen.pid()) || undefined,
      });
      workers.push(await startKillableWorker(system));
      await endHealthy(system, made);
      for (const { id } of made) await removeClient(system, host, id);
      const tables = await tableContents(system.database.db);
      const mails = system.mails.length;
      assert.ok(isStopped(frozen.pid()), 'nobody was overtaken');

      frozen.kill('SIGCONT');
      await new Promise((resolve) => setTimeout(resolve, LATE_MS));
      const found = await census(host);
      assert.deepEqual(
        made.flatMap(({ id }) => traces(found, `client${id}`)),
        [],
      );
      assert.deepEqual(await tableContents(system.database.db), tables);
      assert.equal(system.mails.length, mails);
    });
  });

  describe(`create client on ${hostName}, when SSH is cut within each step`, { skip: noLab }, () => {
    let system: System;
    let waiting = 0;
    let cut: Promise<number> | undefined;
    const gate = createGate();
    before(async () => {
      system = await openSystem({ slot: slot + 1, retryWindowMs: 60_000, inject: cutInAll });
    });
    after(() => system?.close());

    async function cutInAll(point: 'before' | 'after', step: StepContext): Promise<void> {
      if (point !== 'before' || step.phase !== 'do' || step.attempt > 1) return;
      const plan = await planReader(system.database.db)(step.subject);
      if (plan?.fault !== CUT || plan.step !== step.step) return;
      waiting += 1;
      if (waiting === CREATE_CLIENT_STEPS.length) {
        gate.open();
        cut = cutConnections(host, process.pid);
      }
      await gate.wait();
    }

    it('nothing is done twice, and nothing by half', async () => {
      const made = await createAll(system, CUT, CREATE_CLIENT_STEPS);
      await endHealthy(system, made);
      assert.ok(((await cut) ?? 0) > 0, 'no connection was cut');
      for (const { id } of made) await removeClient(system, host, id);
    });
  });
}

function isStopped(pid: number): boolean {
  return /^\d+ \(.*\) T/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
