import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pLimit from 'p-limit';
import type { LabHost } from '../../../lab/host.js';
import { commitToSample } from '../../../lab/product/repository.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { imagesOf, snapshotsOf, treesOf } from '../../support/build-trees.js';
import { type KillableWorker, startKillableWorker } from '../../support/killable-worker.js';
import { noLab } from '../../support/lab.js';
import { ownBaseDirectory } from '../../support/own-base-directory.js';
import { startOwnHost } from '../../support/own-hosts.js';
import {
  FAULTS,
  type Fault,
  INJECTED,
  injectPlanned,
  readServerPlan,
  sagaRows,
  serverNameFor,
} from '../../support/planned-fault.js';
import { openSystem, operationOf, type System } from '../../support/system.js';

const STEPS_BEFORE_COMMIT = ['survey', 'trees', 'fetch', 'docker', 'www', 'image', 'trees-left'];
const STEPS = [...STEPS_BEFORE_COMMIT, 'former'];
const DURING = FAULTS[4] as Fault;

interface Lane {
  system: System;
  server: number;
  baseDir: string;
}

/** Nothing has to run in it, so that it is built in a moment; it shows all that images are built from. */
const DOCKERFILE = 'FROM scratch\nCOPY . /all\nCMD ["none"]\n';
let commits = 0;
const one = pLimit(1);

/** The branch dev moves on; lanes take turns in the working copy. */
const moveOn = (host: LabHost, files: Record<string, string | null> = {}): Promise<string> =>
  one(() => {
    commits += 1;
    return commitToSample(host, { branch: 'dev', files: { 'app/number': `${commits}\n`, ...files } });
  });

const ENDED_MS = 240_000;

/** A busy machine needs longer than an operation on a client does. */
const ended = (of: System, id: string) => of.until(id, 'end', ({ endedAt }) => endedAt !== null, ENDED_MS);

async function treesBelow(host: LabHost, baseDir: string): Promise<void> {
  await ownBaseDirectory(host, baseDir);
  await host.exec(`install -d -o www-data -g www-data -m 775 ${baseDir}/git ${baseDir}/www`);
}

describe('building an image', { skip: noLab }, () => {
  let host: LabHost;
  let system: System;
  let server: number;

  before(async () => {
    host = await startOwnHost({ name: 'build' });
    system = await openSystem({ slot: 80, inject: (point, step) => inject(point, step) });
    server = await system.addServer(host);
  });
  after(async () => {
    await system?.close();
    await host?.stop();
  });

  function inject(point: 'before' | 'after', step: StepContext): Promise<void> {
    return injectPlanned(point, step, {
      client: system.client,
      planOf: ({ subject, step: key }) => readServerPlan(system.database.db, subject, key),
    });
  }

  const imageOf = async (tag: string) => {
    const { body } = await system.call('GET', `/servers/${server}/images`);
    const data = body['data'] as unknown as { tag: string; branch: string; commit: string; id: string }[];
    return data.find((image) => image.tag === tag);
  };

  it('brings code and image to the server, from which a client is made', async () => {
    const id = operationOf(await system.call('GET', `/containers/${server}/build_master/1.4`));
    const view = await ended(system, id);
    assert.equal(view.state, 'succeeded', JSON.stringify(view));
    assert.deepEqual(
      view.steps.map(({ key }) => key),
      STEPS,
    );
    const { commit } = view.result as { commit: string };
    assert.deepEqual(view.result, { image: 'slipway-sample:1.4-master', version: '1.4-master', commit });
    const image = await imageOf('1.4-master');
    assert.deepEqual([image?.branch, image?.commit], ['master', commit]);
    const { stdout } = await host.exec(`
cat /srv/docker/Dockerfile
git -c safe.directory='*' -C /srv/www log -1 --format=%H
docker image inspect -f '{{index .Config.Labels "slipway.built"}}' slipway-sample:1.4-master
ls -A /srv/www | grep -x vendor
ls -Ad /srv/docker/.git /srv/*/.slipway* /srv/slipway/trees.lock 2>/dev/null || true`);
    assert.match(
      stdout,
      new RegExp(`FROM scratch[\\s\\S]*\\n${commit}\\n2\\d{3}-[\\d-]+T[\\d:]+Z\\nvendor\\n$`),
    );

    const output = await system.call('GET', `/operations/${id}/output?step=image`);
    assert.match(String(output.body['text']), /Successfully tagged slipway-sample:1\.4-master/);
    const client = await system.addClient(server, { version_tag: '1.4-master' });
    assert.equal((await ended(system, client.operation)).state, 'succeeded');
  });

  it('refuses a version that is there, also in a plan, unless it is forced', async () => {
    const images = await imagesOf(host);
    const refused = await system.call('POST', `/containers/${server}/build_master/1.4-master`);
    assert.deepEqual([refused.status, refused.body['code']], [409, 'version_exists']);
    const plan = await system.call('POST', `/containers/${server}/build_master/1.4?plan=true`);
    assert.deepEqual([plan.status, plan.body['code']], [409, 'check_failed']);
    assert.equal(await imagesOf(host), images);
    const { body } = await system.call('POST', `/containers/${server}/build_dev/auto?plan=true`);
    const { steps } = body['plan'] as unknown as { steps: { key: string; target: string }[] };
    assert.equal(steps.find(({ key }) => key === 'image')?.target, 'slipway-sample:1.5-dev');
  });

  it('takes neither the clients’ files nor the history of the code into an image, and touches neither', async () => {
    await moveOn(host, {
      Dockerfile: DOCKERFILE,
      artisan: null,
      busybox: null,
      etc: null,
      'app/gone': 'x\n',
    });
    const clients = await host.exec('cd /srv/docker/clients && find . -type f -exec sha256sum {} + | sort');
    const view = await ended(
      system,
      operationOf(await system.call('POST', `/containers/${server}/build_dev/auto`)),
    );
    assert.equal((view.result as { version: string }).version, '1.5-dev', JSON.stringify(view));
    const { stdout } = await host.exec(
      'id=$(docker create slipway-sample:1.5-dev); docker export $id | tar -t | grep ^all/ | sort; docker rm $id >/dev/null',
    );
    assert.deepEqual(stdout.trim().split('\n'), [
      'all/',
      'all/.env.example',
      'all/Dockerfile',
      'all/app/',
      'all/app/gone',
      'all/app/number',
    ]);
    const after = await host.exec('cd /srv/docker/clients && find . -type f -exec sha256sum {} + | sort');
    assert.equal(after.stdout, clients.stdout);
  });

  it('that fails leaves trees and images as they were while it waits, and goes on with mended code', async () => {
    await moveOn(host, { Dockerfile: 'FROM scratch\nCOPY missing /missing\n', 'app/gone': null });
    const [trees, images] = [await treesOf(host, '/srv'), await imagesOf(host)];
    const id = operationOf(await system.call('POST', `/containers/${server}/build_dev/1.6`));
    const held = await system.until(id, 'hold', ({ state }) => state === 'holding');
    assert.deepEqual([held.hold?.step, held.hold?.error.kind], ['image', 'CommandFailed']);
    assert.match(held.hold?.error.message ?? '', /missing/);
    assert.equal(await treesOf(host, '/srv'), trees);
    assert.equal(await imagesOf(host), images);

    const commit = await moveOn(host, { Dockerfile: DOCKERFILE });
    assert.equal((await system.call('POST', `/operations/${id}/retry`, { note: 'mended' })).status, 200);
    const view = await ended(system, id);
    assert.equal(view.state, 'succeeded', JSON.stringify(view));
    assert.equal((view.result as { commit: string }).commit, commit);
    assert.equal((await imageOf('1.6-dev'))?.commit, commit);
    const { stdout } = await host.exec('ls /srv/docker/app /srv/git/app /srv/www/app');
    assert.ok(!stdout.includes('gone'), stdout);
  });

  it('leaves trees that somebody else has locked', async () => {
    await host.exec('echo somebody > /srv/slipway/trees.lock');
    const trees = await treesOf(host, '/srv');
    const view = await ended(
      system,
      operationOf(await system.call('POST', `/containers/${server}/build_dev/1.7`)),
    );
    assert.equal(view.state, 'rolled_back');
    assert.match(JSON.stringify(view), /locked by somebody/);
    assert.equal(await treesOf(host, '/srv'), trees);
    await host.exec('rm /srv/slipway/trees.lock');
  });

  it('gives a replaced image its name back when it is undone', async () => {
    const images = await imagesOf(host);
    await moveOn(host);
    await system.call('POST', '/servers', {
      id: String(server),
      name: serverNameFor({ steps: ['image'], fault: 'fails after its effect' }),
    });
    const path = `/containers/${server}/build_dev/1.6?force=true&on_failure=rollback`;
    const view = await ended(system, operationOf(await system.call('POST', path)));
    assert.equal(view.state, 'rolled_back', JSON.stringify(view));
    assert.equal(await imagesOf(host), images);
    await system.call('POST', '/servers', { id: String(server), name: 'build' });
  });

  describe('when a step', { concurrency: 3 }, () => {
    const free: Lane[] = [];

    before(async () => {
      for (const port of [2201, 2202, 2203]) {
        const baseDir = `/srv/lane${port}`;
        await treesBelow(host, baseDir);
        await host.exec(`/usr/sbin/sshd -p ${port} -E /var/log/lab/sshd-${port}.log -o PidFile=none`);
        const place = { name: baseDir, ssh_port: String(port), base_dir: baseDir };
        free.push({ system, server: await system.addServer(host, place), baseDir });
      }
    });

    for (const { step, fault } of sagaRows(STEPS, {
      chosen: ['fetch', 'docker', 'www', 'image', 'trees-left'],
      cancelled: ['www', 'image'],
    })) {
      it(`${fault}: ${step}`, async () => {
        const lane = free.pop() as Lane;
        try {
          await check(lane, step, fault);
        } finally {
          free.push(lane);
        }
      });
    }

    async function check(lane: Lane, step: string, fault: Fault): Promise<void> {
      const version = `3.${INJECTED.indexOf(fault)}.${STEPS.indexOf(step) + 1}-dev`;
      await moveOn(host);
      const trees = await treesOf(host, lane.baseDir);
      await system.call('POST', '/servers', {
        id: String(lane.server),
        name: serverNameFor({ steps: [step], fault }),
      });
      const path = `/containers/${lane.server}/build_dev/${version}?on_failure=rollback`;
      const id = operationOf(await system.call('POST', path));
      const view = await ended(system, id);
      // what could not be forgotten is, by the next build
      const forgotten = step !== 'former' || fault === 'loses its answer' || fault === 'is cancelled';
      if (forgotten) assert.equal(await snapshotsOf(host, lane.baseDir, id), '');
      if (fault !== 'loses its answer' && STEPS_BEFORE_COMMIT.includes(step)) {
        assert.equal(
          view.state,
          fault === 'is cancelled' ? 'cancelled' : 'rolled_back',
          JSON.stringify(view),
        );
        assert.deepEqual(view.leftovers, []);
        assert.equal(await treesOf(host, lane.baseDir), trees);
        assert.equal(await imageOf(version), undefined);
      } else await assertBuilt(lane, version, view);
    }
  });

  async function assertBuilt(
    lane: Lane,
    version: string,
    view: { state: string; result: unknown },
  ): Promise<void> {
    assert.match(view.state, /^succeeded/, JSON.stringify(view));
    const { commit } = view.result as { commit: string };
    const trees = await treesOf(host, lane.baseDir);
    for (const tree of ['git', 'www']) assert.ok(trees.includes(`${tree} refs/heads/dev ${commit}\n`), trees);
    assert.ok(!trees.includes('trees.lock') && !trees.includes('slipway:'), trees);
    const { stdout } = await host.exec(
      `cmp ${lane.baseDir}/git/app/number ${lane.baseDir}/docker/app/number; docker image ls -q slipway-sample:${version} | wc -l`,
    );
    assert.equal(stdout.trim(), '1');
  }

  it('goes on when its worker dies in each step', async () => {
    const halves = [STEPS.filter((_, index) => index % 2 === 0), STEPS.filter((_, index) => index % 2 === 1)];
    await Promise.all(
      halves.map(async (steps, index) => {
        const own = await openSystem({ slot: 81 + index, worker: false });
        const worker: KillableWorker = await startKillableWorker(own);
        try {
          const baseDir = `/srv/killed${index}`;
          await treesBelow(host, baseDir);
          const name = serverNameFor({ steps, fault: DURING });
          const lane = {
            system: own,
            server: await own.addServer(host, { name, base_dir: baseDir }),
            baseDir,
          };
          const version = `4.${index}-dev`;
          const id = operationOf(await own.call('POST', `/containers/${lane.server}/build_dev/${version}`));
          const view = await ended(own, id);
          assert.equal(worker.deaths(), steps.length, 'the worker did not die as planned');
          await assertBuilt(lane, version, view);
        } finally {
          await worker.stop();
          await own.close();
        }
      }),
    );
  });
});
