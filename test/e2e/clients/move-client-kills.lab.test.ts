import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients } from '../../../db/schema/index.js';
import type { LabHost } from '../../../lab/host.js';
import { startKillableWorker } from '../../support/killable-worker.js';
import { noLab, sharedHost } from '../../support/lab.js';
import {
  ask,
  containerState,
  fileSums,
  noteBodies,
  startMove,
  startTarget,
  watchBoth,
} from '../../support/move-world.js';
import { EACH_STEP, FAULTS, subdomainFor, WHOLE } from '../../support/planned-fault.js';
import { openSystem } from '../../support/system.js';
import { startVisitors } from '../../support/visitors.js';

/** The second leaves all that the first one may leave, and more. */
const KILLS = WHOLE ? FAULTS.slice(4, 6) : FAULTS.slice(4, 5);
/** Each of some twenty-five deaths costs a start of a worker and a missed heartbeat. */
const ENDED_MS = 900_000;

describe('a move while people write, its worker dying in each step', { skip: noLab, concurrency: 2 }, () => {
  const source = noLab === false ? sharedHost('maria') : (undefined as never);
  let target: LabHost;
  before(async () => {
    target = await startTarget(source);
  });
  after(() => target?.stop());

  for (const [index, fault] of KILLS.entries()) {
    it(`${fault}: one at a time serves, and what was answered is on the target`, async () => {
      const system = await openSystem({ slot: 94 + index, worker: false });
      const worker = await startKillableWorker(system);
      const ends: (() => Promise<unknown>)[] = [() => worker.stop(), () => system.close()];
      try {
        const sourceId = await system.addServer(source);
        const targetId = await system.addServer(target);
        const { id, operation } = await system.addClient(sourceId, { subdomain: `mk${index}` });
        assert.match((await system.ended(operation)).state, /^succeeded/);
        const subdomain = subdomainFor({ step: EACH_STEP, fault });
        // of what is there, the names do not follow the row
        await system.database.db.update(clients).set({ subdomain }).where(eq(clients.id, id));
        const from = { host: source, hostname: `mk${index}.${source.name}.example.test` };
        const to = { host: target, hostname: `${subdomain}.${target.name}.example.test` };
        const writers = [from, to].map(({ host: { address }, hostname }) =>
          startVisitors({ address, hostname }),
        );
        ends.unshift(...writers.map((writer) => writer.stop));
        const [atSource, atTarget] = writers as [(typeof writers)[0], (typeof writers)[0]];
        await atSource.written(5);
        const sums = await fileSums(source, id);

        const both = watchBoth(from, to);
        const moved = await startMove(system, { id, to: targetId });
        const view = await system.until(moved, 'end', ({ endedAt }) => endedAt !== null, ENDED_MS);
        assert.match(view.state, /^succeeded/, JSON.stringify(view));
        await atTarget.written(5);
        assert.deepEqual(await both(), []);
        for (const writer of writers) await writer.stop();

        assert.equal(worker.deaths(), view.steps.length, 'the worker did not die as planned');
        const kept = new Set(await noteBodies(target, id));
        const lost = writers.flatMap((writer) => writer.confirmed()).filter((note) => !kept.has(note));
        assert.deepEqual(lost, []);
        assert.equal(await fileSums(target, id), sums);
        assert.equal((await ask(source, from.hostname)).status, 308);
        assert.equal(await containerState(source, id), 'exited');
      } finally {
        for (const end of ends) await end();
      }
    });
  }
});
