import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { LabHost } from '../../../lab/host.js';
import { SAMPLE_REPOSITORY } from '../../../lab/product/repository.js';
import type { FanOutResult } from '../../../workflows/contract/operation/fan-out.js';
import { readClientDatabase } from '../../support/client-database.js';
import { noLab } from '../../support/lab.js';
import { startOwnHost } from '../../support/own-hosts.js';
import { openSystem, operationOf, type System } from '../../support/system.js';

const VERSION = '1.9-master';
const INFO = `# 1.9\n\nReports: "printed", 100% of them; it's \\ here. Ж 漢`;

interface Site {
  host: LabHost;
  server: number;
  client: number;
}

const ENDED_MS = 600_000;

/** A busy machine needs longer than an operation on a client does. */
const ended = (of: System, id: string) => of.until(id, 'end', ({ endedAt }) => endedAt !== null, ENDED_MS);

describe('one version for every server', { skip: noLab }, () => {
  let system: System;
  let sites: Site[] = [];

  before(async () => {
    system = await openSystem({ slot: 85 });
    const hosts = await Promise.all([
      startOwnHost({ name: 'fleetm' }),
      startOwnHost({ name: 'fleetp', sql: 'postgres' }),
    ]);
    sites = await Promise.all(
      hosts.map(async (host) => {
        const server = await system.addServer(host);
        const { id, operation } = await system.addClient(server);
        assert.equal((await ended(system, operation)).state, 'succeeded');
        return { host, server, client: id };
      }),
    );
  });
  after(async () => {
    await system?.close();
    await Promise.all(sites.map(({ host }) => host.stop()));
  });

  const toldOf = async ({ host, client }: Site) => {
    const versions = await readClientDatabase(host, client, 'select version from cloud_versions order by 1');
    const [notice = ['']] = await readClientDatabase(
      host,
      client,
      "select value from cloud_settings where name = 'update_notice'",
    );
    return { versions: versions.flat(), notice: notice.join('\t') };
  };

  const assertTold = async (site: Site) => {
    const { versions, notice } = await toldOf(site);
    assert.deepEqual(versions, [VERSION]);
    assert.deepEqual(JSON.parse(notice), { version: VERSION, info: INFO });
    const [[moment] = []] = await readClientDatabase(
      site.host,
      site.client,
      'select released_at from cloud_versions',
    );
    assert.ok(
      Math.abs(Date.parse(`${moment?.slice(0, 19).replace(' ', 'T')}Z`) - Date.now()) < 600_000,
      moment,
    );
  };

  it('is built and told on one while the other holds, and a retry brings the other along', async () => {
    const [good, bad] = sites as [Site, Site];
    await bad.host.exec(`mv ${SAMPLE_REPOSITORY} ${SAMPLE_REPOSITORY}.away`);
    const answer = await system.call('POST', '/containers/build_master_for_all/', {
      version: VERSION,
      info: INFO,
    });
    assert.equal(answer.body['id'], 'build_master_for_all');
    const id = operationOf(answer);
    const held = await system.until(id, 'hold', ({ state }) => state === 'holding', 90_000);
    assert.match(held.hold?.error.message ?? '', /1 of 2 done/);
    await assertTold(good);
    assert.deepEqual(await toldOf(bad), { versions: [], notice: '' });

    await bad.host.exec(`mv ${SAMPLE_REPOSITORY}.away ${SAMPLE_REPOSITORY}`);
    assert.equal((await system.call('POST', `/operations/${id}/retry`, { note: 'it is back' })).status, 200);
    const view = await ended(system, id);
    assert.equal(view.state, 'succeeded', JSON.stringify(view));
    const { total, done, open } = view.result as FanOutResult;
    assert.deepEqual([total, done, open], [2, 2, []]);
    await assertTold(bad);
    const { body } = await system.call('GET', `/operations?parent=${id}`);
    const children = body['data'] as unknown as { subject: string; state: string; kind: string }[];
    assert.deepEqual(
      children.map(({ kind, subject, state }) => [kind, subject, state]).sort(),
      sites.map(({ server }) => ['build_image', `server:${server}`, 'succeeded']).sort(),
    );
  });

  it('is kept where it is, and only told once more', async () => {
    const before = await Promise.all(sites.map(({ host }) => host.exec('docker image ls -q --no-trunc')));
    const fields = { version: VERSION, info: INFO };
    const id = operationOf(await system.call('POST', '/containers/build_master_for_all', fields));
    assert.equal((await ended(system, id)).state, 'succeeded');
    const after = await Promise.all(sites.map(({ host }) => host.exec('docker image ls -q --no-trunc')));
    assert.deepEqual(
      after.map(({ stdout }) => stdout),
      before.map(({ stdout }) => stdout),
    );
    for (const site of sites) await assertTold(site);
  });
});
