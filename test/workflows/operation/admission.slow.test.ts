import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import { forgetAdmissions, giveBack, takeAdmission } from '../../../activities/operation/admissions.js';
import { admissions, operations } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { createGate } from '../../support/gate.js';
import {
  failing,
  openScriptedSystem,
  type ScriptedRun,
  type ScriptedSystem,
} from '../../support/scripted-world.js';

const PACE = { lookEveryMs: 50, verifyAfterMs: 200, verifyEveryMs: 200 };

let servers = randomInt(1, 1_000_000) * 1_000;
const newServer = (): number => (servers += 1);
const placeAt = (server: number): string => `server:${server}`;

describe('admission to a server', { concurrency: 8 }, () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem({}, { waitPace: PACE });
  });
  after(() => system?.close());

  const rowsOf = ({ id }: Pick<ScriptedRun, 'id'>) =>
    system.database.db.select().from(admissions).where(eq(admissions.operationId, id));
  const waits = (run: ScriptedRun) => run.until('wait', ({ waitingFor }) => waitingFor !== undefined);
  const works = (run: ScriptedRun) =>
    pollUntil({
      what: `work of ${run.id}`,
      deadlineMs: 20_000,
      probe: async () => (run.things().length > 0 ? true : undefined),
    });
  const at = (run: ScriptedRun, what: string): number => system.world.log.indexOf(`${what} ${run.id} one`);

  /** Works on the servers until its gate is opened. */
  async function busy(server: number | number[], options: { exclusive?: true; root?: string } = {}) {
    const gate = createGate();
    const { exclusive, root } = options;
    const run = await system.start([{ key: 'one' }], {
      admission: { places: [server].flat().map(placeAt), ...(exclusive === undefined ? {} : { exclusive }) },
      faults: { 'in:one': gate.wait },
      ...(root === undefined ? {} : { request: { root } }),
    });
    return { run, gate };
  }

  it('is held shared by operations on its clients', async () => {
    const server = newServer();
    const [one, two] = [await busy(server), await busy(server)];
    await Promise.all([works(one.run), works(two.run)]);
    one.gate.open();
    two.gate.open();
    for (const { run } of [one, two]) assert.equal((await run.ended()).state, 'succeeded');
    assert.deepEqual(await rowsOf(one.run), []);
  });

  it('is refused to new holders while an exclusive one waits until the shared ones are gone', async () => {
    const server = newServer();
    const shared = await busy(server);
    await works(shared.run);
    const exclusive = await busy(server, { exclusive: true });
    assert.equal((await waits(exclusive.run)).waitingFor, `server:${server} (scripted)`);
    const later = await busy(server);
    await waits(later.run);
    const recorded = async () => (await later.run.row())?.waitingFor ?? undefined;
    const shown = await pollUntil({ what: 'record', deadlineMs: 20_000, probe: recorded });
    assert.equal(shown, `server:${server} (scripted)`);
    assert.deepEqual([...exclusive.run.things(), ...later.run.things()], []);
    later.gate.open();
    shared.gate.open();
    await works(exclusive.run);
    assert.deepEqual(later.run.things(), []);
    exclusive.gate.open();
    for (const { run } of [exclusive, later]) assert.equal((await run.ended()).state, 'succeeded');
    assert.ok(at(shared.run, 'made') < at(exclusive.run, 'make'));
    assert.ok(at(exclusive.run, 'made') < at(later.run, 'make'));
    assert.equal((await later.run.row())?.waitingFor, null);
  });

  it('is had for all servers or none', async () => {
    const [free, taken] = [newServer(), newServer()];
    const holder = await busy(taken, { exclusive: true });
    await works(holder.run);
    const both = await busy([taken, free]);
    assert.equal((await waits(both.run)).waitingFor, `server:${taken} (scripted)`);
    assert.deepEqual(
      (await rowsOf(both.run)).map(({ grantedAt }) => grantedAt),
      [null, null],
    );
    both.gate.open();
    holder.gate.open();
    assert.equal((await both.run.ended()).state, 'succeeded');
  });

  it('lets the children of the root pass, even where others wait', async () => {
    const server = newServer();
    const root = await busy(server, { exclusive: true });
    await works(root.run);
    const other = await busy(server, { exclusive: true });
    await waits(other.run);
    const child = await busy(server, { root: root.run.id });
    await works(child.run);
    for (const { gate } of [child, root, other]) gate.open();
    for (const { run } of [child, root, other]) assert.equal((await run.ended()).state, 'succeeded');
    assert.ok(at(root.run, 'made') < at(other.run, 'make'));
  });

  it('is taken from a holder that Temporal knows as closed', async () => {
    const server = newServer();
    const dead = await busy(server);
    await works(dead.run);
    await dead.run.handle.terminate('gone');
    const next = await busy(server, { exclusive: true });
    next.gate.open();
    assert.equal((await next.run.ended()).state, 'succeeded');
    assert.deepEqual(await rowsOf(dead.run), []);
    dead.gate.open();
  });

  it('is not taken from a holder that lives, however often it is asked about', async () => {
    const server = newServer();
    const holder = await busy(server);
    await works(holder.run);
    const next = await busy(server, { exclusive: true });
    const checked = () =>
      pollUntil({
        what: 'verification',
        deadlineMs: 20_000,
        probe: async () => (await rowsOf(holder.run))[0]?.checkedAt?.getTime(),
      });
    const first = await checked();
    await pollUntil({
      what: 'another one',
      deadlineMs: 20_000,
      probe: async () => ((await checked()) > first ? true : undefined),
    });
    assert.deepEqual(next.run.things(), []);
    holder.gate.open();
    next.gate.open();
    assert.equal((await next.run.ended()).state, 'succeeded');
  });

  it('is given back by a hold without an unfinished remote job, and taken again before any step', async () => {
    const server = newServer();
    const held = await system.start([{ key: 'one' }], {
      admission: { places: [placeAt(server)] },
      faults: { 'do:one': failing('CommandFailed', 1) },
    });
    await held.until('hold', ({ state }) => state === 'holding');
    const exclusive = await busy(server, { exclusive: true });
    await works(exclusive.run);
    await held.handle.signal('retry');
    assert.equal((await waits(held)).state, 'running');
    assert.deepEqual(held.things(), []);
    exclusive.gate.open();
    assert.equal((await held.ended()).state, 'succeeded');
    assert.ok(at(exclusive.run, 'made') < at(held, 'make'));
  });

  it('is kept by a hold that may have left a job running', async () => {
    const server = newServer();
    const held = await system.start([{ key: 'one' }], {
      admission: { places: [placeAt(server)] },
      faults: { 'do:one': failing('Unauthorized', 1) },
    });
    await held.until('hold', ({ state }) => state === 'holding');
    const exclusive = await busy(server, { exclusive: true });
    await waits(exclusive.run);
    exclusive.gate.open();
    await held.handle.signal('retry');
    for (const run of [held, exclusive.run]) assert.equal((await run.ended()).state, 'succeeded');
    assert.ok(at(held, 'made') < at(exclusive.run, 'make'));
  });

  it('is taken again before the undos of what was given back', async () => {
    const server = newServer();
    const held = await system.start([{ key: 'one' }, { key: 'two' }], {
      admission: { places: [placeAt(server)] },
      faults: { 'do:two': failing('CommandFailed', 1) },
    });
    await held.until('hold', ({ state }) => state === 'holding');
    const exclusive = await busy(server, { exclusive: true });
    await works(exclusive.run);
    await held.handle.signal('rollback');
    assert.equal((await waits(held)).state, 'rolling_back');
    assert.deepEqual(held.things(), ['one']);
    exclusive.gate.open();
    assert.equal((await held.ended()).state, 'rolled_back');
    assert.deepEqual(held.things(), []);
    assert.ok(at(exclusive.run, 'made') < at(held, 'unmake'));
  });

  it('is no longer waited for after a cancel, and whoever comes next goes on', async () => {
    const server = newServer();
    const shared = await busy(server);
    await works(shared.run);
    const exclusive = await busy(server, { exclusive: true });
    await waits(exclusive.run);
    const later = await busy(server);
    await waits(later.run);
    await exclusive.run.handle.cancel();
    assert.equal((await exclusive.run.ended()).state, 'cancelled');
    await works(later.run);
    assert.deepEqual(await exclusive.run.steps(), []);
    for (const { gate } of [shared, later]) gate.open();
    assert.equal((await later.run.ended()).state, 'succeeded');
  });

  it('is not touched by whatever still speaks of an earlier taking, or of an ended operation', async () => {
    const { db } = system.database;
    const operation = ulid();
    const request = { operation, root: operation, places: [placeAt(newServer())], exclusive: true as const };
    const values = { kind: 'scripted', subject: `client:${operation}`, title: 'T', actor: 'a', input: {} };
    await db.insert(operations).values({ id: operation, state: 'running', ...values });
    const take = (taking: number) => db.transaction((tx) => takeAdmission(tx, { ...request, taking }));
    assert.deepEqual(await take(1), { admitted: true });
    assert.deepEqual(await take(1), { admitted: true });
    await db.transaction((tx) => giveBack(tx, operation, 1));
    await assert.rejects(take(1), (error) => kindOf(error) === 'OperationClosed');
    assert.deepEqual(await take(2), { admitted: true });
    await db.transaction((tx) => giveBack(tx, operation, 1));
    assert.ok((await rowsOf({ id: operation }))[0]?.grantedAt);
    await forgetAdmissions(db, operation);
    await db.update(operations).set({ endedAt: new Date() }).where(eq(operations.id, operation));
    await assert.rejects(take(3), (error) => kindOf(error) === 'OperationClosed');
    assert.deepEqual(await rowsOf({ id: operation }), []);
  });
});

describe('a wait for admission that lasts too long', { concurrency: 4 }, () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem({ gateWaitMs: 600 }, { waitPace: PACE });
  });
  after(() => system?.close());

  async function occupied() {
    const server = newServer();
    const gate = createGate();
    const start = () =>
      system.start([{ key: 'one' }], {
        admission: { places: [placeAt(server)], exclusive: true },
        faults: { 'in:one': gate.wait },
      });
    return { server, gate, start };
  }

  it('before the first step ends the operation, naming the holders', async () => {
    const { server, gate, start } = await occupied();
    const holder = await start();
    await holder.until('step', ({ steps }) => steps.length > 0);
    const late = await start();
    const { state, error } = await late.ended();
    assert.equal(state, 'rolled_back');
    assert.equal(error?.kind, 'Conflict');
    assert.match(error?.message ?? '', new RegExp(`^server:${server} \\(scripted ${holder.id}\\)`));
    assert.deepEqual(await late.steps(), []);
    gate.open();
    assert.equal((await holder.ended()).state, 'succeeded');
  });

  it('after a hold holds again, naming the holders', async () => {
    const { server, gate, start } = await occupied();
    const held = await system.start([{ key: 'one' }], {
      admission: { places: [placeAt(server)] },
      faults: { 'do:one': failing('CommandFailed', 1) },
    });
    await held.until('hold', ({ state }) => state === 'holding');
    const holder = await start();
    await holder.until('step', ({ steps }) => steps.length > 0);
    await held.handle.signal('skip', { note: 'no' });
    await held.handle.signal('retry');
    const { hold } = await held.until('second hold', (view) => view.hold?.number === 2);
    assert.equal(hold?.error.kind, 'Conflict');
    assert.match(hold?.error.message ?? '', new RegExp(holder.id));
    gate.open();
    await holder.ended();
    await held.handle.signal('retry');
    assert.equal((await held.ended()).state, 'succeeded');
    assert.deepEqual(held.things(), ['one']);
  });
});
