import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { backupSweepOf } from '../../support/backups.js';
import { hostnameOf } from '../../support/client-checks.js';
import { clientContents } from '../../support/client-contents.js';
import { clientSnapshot } from '../../support/client-snapshot.js';
import {
  assertCopied,
  type Copying,
  environmentOf,
  fillSource,
  startCopy,
  TARGET_FIELDS,
} from '../../support/copies.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { type Watch, watchNeighbour } from '../../support/neighbour.js';
import { EACH_STEP, goesBack, injectPlanned, type Plan, sagaRows } from '../../support/planned-fault.js';
import { openSystem, type System } from '../../support/system.js';

const BEFORE_COMMIT = [
  ...['find', 'check-database', 'image', 'dump', 'transfer', 'traffic-off', 'stop', 'database', 'backup'],
  ...[
    'record-backup',
    'spare',
    'copy',
    'restore',
    'files',
    'sanitize',
    'settings',
    'version',
    'administrator',
  ],
  ...['start', 'inside-check'],
];
const AFTER_COMMIT = ['record', 'traffic-off-left', 'drop-copy', 'clear-source', 'clear-target'];
/** A failure of these is only a warning. */
const WARNED = ['drop-copy', 'clear-source', 'clear-target'];

const isBack = (plan: Plan): boolean => goesBack(plan, BEFORE_COMMIT);
const isLeft = ({ fault, step }: Plan): boolean =>
  fault === 'fails before its effect' && WARNED.includes(step);
const ROWS = sagaRows([...BEFORE_COMMIT, ...AFTER_COMMIT], {
  chosen: ['transfer', 'restore', 'sanitize', 'administrator', 'record'],
  cancelled: ['restore'],
});

/** Each with a source of its own, which its copy borrows. */
const LANES = 3;

describe('copy a client, when a step', { skip: noLab, concurrency: LANES }, () => {
  const host = noLab === false ? sharedHost('maria') : (undefined as never);
  const planned = new Map<string, Plan>();
  const free: Copying[] = [];
  const watches: Watch[] = [];
  let system: System;
  let stage: number;

  before(async () => {
    system = await openSystem({ slot: 93, limits: { forwardRetryMs: 500 }, inject });
    stage = await system.addServer(host, { stage: '1' });
    for (let lane = 0; lane < LANES; lane += 1) {
      const [source, target] = await Promise.all([
        system.addClient(stage),
        system.addClient(stage, TARGET_FIELDS),
      ]);
      for (const { operation } of [source, target])
        assert.equal((await system.ended(operation)).state, 'succeeded');
      const copying = { system, source: { ...source, host }, target: { ...target, host } };
      await fillSource(system, copying.source);
      watches.push(watchNeighbour({ address: host.address, hostname: await hostnameOf(system, source.id) }));
      free.push(copying);
    }
  });
  after(async () => {
    for (const watch of watches) await watch.stop();
    await system?.close();
    for (const watch of watches) assert.deepEqual(watch.disturbances(), [], 'the source serves on');
  });

  function inject(point: 'before' | 'after', step: StepContext): Promise<void> {
    return injectPlanned(point, step, {
      client: system.client,
      planOf: ({ subject }) => planned.get(subject),
    });
  }

  async function inLane(plan: Plan, act: (copying: Copying) => Promise<void>): Promise<void> {
    const copying = free.pop() as Copying;
    const { source, target } = copying;
    planned.set(`client:${target.id}`, plan);
    try {
      const before = await clientContents(host, source.id);
      await act(copying);
      assert.deepEqual(await clientContents(host, source.id), before, 'the source is as it was');
    } finally {
      planned.delete(`client:${target.id}`);
      free.push(copying);
    }
  }

  for (const plan of ROWS.filter(isBack)) {
    it(`${plan.fault}: ${plan.step}: the target is as before`, () =>
      inLane(plan, async (copying) => {
        const { target } = copying;
        const start = await clientSnapshot(system, host, target.id);
        const view = await system.ended(await startCopy(copying, 'on_failure=rollback'));
        const state = plan.fault === 'is cancelled' ? 'cancelled' : 'rolled_back';
        assert.deepEqual([view.state, view.leftovers], [state, []], JSON.stringify(view));
        assert.ok(view.steps.some(({ key }) => key === plan.step));
        assert.deepEqual(await clientSnapshot(system, host, target.id), start);
        await assertCleared(view.id);
      }));
  }

  // what is not cleared away stays there until the night: a test of its own
  for (const plan of ROWS.filter((row) => !isBack(row) && !isLeft(row))) {
    it(`${plan.fault}: ${plan.step}: it is copied`, () =>
      inLane(plan, async (copying) => {
        const env = await environmentOf(copying.target);
        const view = await system.ended(await startCopy(copying, 'on_failure=rollback'));
        assert.ok(plan.step === EACH_STEP || view.steps.some(({ key }) => key === plan.step));
        await assertCopied(copying, view, env);
        await assertCleared(view.id);
      }));
  }

  it('what could not be cleared away is removed by night', () =>
    inLane({ fault: 'fails before its effect', step: 'clear-source' }, async (copying) => {
      const view = await system.ended(await startCopy(copying, 'on_failure=rollback'));
      assert.equal(view.state, 'succeeded_with_warnings');
      assert.deepEqual(
        view.warnings.map(({ step }) => step),
        ['clear-source'],
      );
      const name = (id: number) => `client${id}-${view.id}`;
      const [dump, backup] = [name(copying.source.id), name(copying.target.id)];
      assert.deepEqual(await laidDown(view.id), [backup, dump].sort());
      await backupSweepOf(system)({ serverId: stage });
      assert.deepEqual(await laidDown(view.id), [backup]);
    }));

  /** Dumps are gone; the backup of the target, which bears the operation's name too, stays. */
  async function assertCleared(operation: string): Promise<void> {
    const left = await laidDown(operation);
    assert.ok(left.length <= 1 && !left.some((name) => name.endsWith('-moved')), left.join());
  }

  async function laidDown(operation: string): Promise<string[]> {
    const { stdout } = await host.exec('ls -A /srv/backup/clients /srv/slipway/moves 2>/dev/null || true');
    return stdout.split('\n').filter((line) => line.toUpperCase().includes(operation));
  }
});
