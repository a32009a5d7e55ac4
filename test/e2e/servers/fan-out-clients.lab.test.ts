import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { and, count, eq, isNotNull } from 'drizzle-orm';
import pLimit from 'p-limit';
import { archiveOperation } from '../../../activities/operation/operation-archive.js';
import { operations } from '../../../db/schema/index.js';
import type { LabHost } from '../../../lab/host.js';
import { pollUntil } from '../../../process/poll.js';
import { startTemporal, type TemporalServer } from '../../../start/services/temporal.js';
import type { RefreshResult } from '../../../workflows/contract/servers/fleet.js';
import { SEARCH_ATTRIBUTES } from '../../../workflows/contract/search-attributes.js';
import { type KillableWorker, startKillableWorker } from '../../support/killable-worker.js';
import { noLab } from '../../support/lab.js';
import { startOwnHost } from '../../support/own-hosts.js';
import { WHOLE } from '../../support/planned-fault.js';
import { archiveOf } from '../../support/sweep.js';
import { openSystem, type System } from '../../support/system.js';

const CLIENTS = 200;
/** every twentieth */
const FAILING = CLIENTS / 20;
/** The server's own default is 4096 events; below it the parent need not continue as new. */
const SUGGEST_AT = 500;
const CREATES_AT_ONCE = 6;
/** Of all creates together: some three seconds of two cores each. */
const CREATED_MS = 20 * 60_000;

const skip =
  noLab || (!WHOLE && `creates ${CLIENTS} clients, which takes ten minutes: SLIPWAY_TEST_WHOLE=true`);

describe(`deploy over ${CLIENTS} clients of which a twentieth fail`, { skip }, () => {
  let temporal: TemporalServer;
  let host: LabHost;
  let system: System;
  let worker: KillableWorker;
  let serverId: number;
  const ids: number[] = [];

  before(
    async () => {
      const dir = await mkdtemp(join(tmpdir(), 'slipway-clients-'));
      const searchAttributes = Object.keys(SEARCH_ATTRIBUTES);
      const dynamic = [`limit.historyCount.suggestContinueAsNew=${SUGGEST_AT}`];
      temporal = await startTemporal({ dir, log: () => undefined, searchAttributes, dynamic });
      host = await startOwnHost({ name: 'many' });
      // each client keeps one; the default is for fewer
      await host.exec(`mariadb -e 'SET GLOBAL max_connections = 1000'`);
      system = await openSystem({ slot: 121, worker: false, temporal: temporal.address });
      worker = await startKillableWorker(system);
      serverId = await system.addServer(host, { client_pool: '10.214.0.0/19', port_range: '30000-30499' });
      const limit = pLimit(CREATES_AT_ONCE);
      const creates = Array.from({ length: CLIENTS }, () =>
        limit(async () => {
          const { id, operation } = await system.addClient(serverId, { password: '' });
          assert.match((await system.ended(operation)).state, /^succeeded/);
          ids.push(id);
        }),
      );
      await Promise.all(creates);
      ids.sort((one, other) => one - other);
    },
    { timeout: CREATED_MS },
  );
  after(async () => {
    await worker?.stop();
    await system?.close();
    await host?.stop();
    await temporal?.stop();
  });

  const directory = (id: number) => `/srv/docker/clients/client${id}`;
  const failing = () => ids.filter((_, index) => index % 20 === 7);

  async function ended(parent: string): Promise<number> {
    const [row] = await system.database.db
      .select({ done: count() })
      .from(operations)
      .where(and(eq(operations.parentId, parent), isNotNull(operations.endedAt)));
    return row?.done ?? 0;
  }

  it('does each of the others exactly once over two deaths of the worker; one retry finishes the rest', async () => {
    await host.exec(`echo 'FEATURE_FLAGS="all"' >> /srv/docker/.env.example`);
    // no file can be written in the place of a directory
    for (const id of failing())
      await host.exec(`cd ${directory(id)}/php && mv add_vars.ini away && mkdir add_vars.ini`);
    const { status, body } = await system.call('GET', `/server/${serverId}/deploy?window=8`);
    assert.equal(status, 202, JSON.stringify(body));
    const parent = (body['operation'] as unknown as { id: string }).id;
    for (const share of [0.25, 0.6]) {
      await pollUntil({
        what: `${share} of the clients are done`,
        deadlineMs: 600_000,
        everyMs: 500,
        probe: async () => (await ended(parent)) >= CLIENTS * share || undefined,
      });
      worker.kill('SIGKILL');
    }
    const held = await system.until(parent, 'hold', ({ state }) => state === 'holding', 900_000);
    assert.equal(worker.deaths(), 2);
    const summary = `${CLIENTS - FAILING} of ${CLIENTS} done, ${FAILING} waiting for a person`;
    assert.ok(
      held.steps.some((step) => step.summary === summary),
      JSON.stringify(held.steps),
    );
    assert.equal(await ended(parent), CLIENTS - FAILING);

    for (const id of failing())
      await host.exec(`cd ${directory(id)}/php && rmdir add_vars.ini && mv away add_vars.ini`);
    await system.call('POST', `/operations/${parent}/retry`, { note: 'mended' });
    const view = await system.until(parent, 'end', ({ endedAt }) => endedAt !== null, 300_000);
    assert.equal(view.state, 'succeeded', JSON.stringify(view));
    const { total, done, changed } = view.result as RefreshResult;
    assert.deepEqual([total, done, changed], [CLIENTS, CLIENTS, CLIENTS]);
    const rows = await system.database.db.select().from(operations).where(eq(operations.parentId, parent));
    assert.equal(rows.length, CLIENTS, 'one operation for each client');
    assert.equal(new Set(rows.map(({ subject }) => subject)).size, CLIENTS);
    const { stdout } = await host.exec('grep -c "^FEATURE_FLAGS=" /srv/docker/clients/client*/.env');
    const flags = stdout.trim().split('\n');
    assert.equal(flags.length, CLIENTS);
    assert.ok(flags.every((line) => line.endsWith(':1')));

    const [row] = await system.database.db.select().from(operations).where(eq(operations.id, parent));
    assert.ok(row);
    await archiveOperation({ db: system.database.db, client: system.client }, row);
    const timeline = await archiveOf(system.database.db, parent);
    assert.ok(timeline.some(({ type }) => type === 'continued_as_new'));
  });
});
