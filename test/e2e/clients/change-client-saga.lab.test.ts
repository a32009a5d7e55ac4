import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { makeOperationId, subjectId } from '../../../workflows/contract/operation/ids.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { hostnameOf } from '../../support/client-checks.js';
import { type ClientSnapshot, clientSnapshot, keptFormer } from '../../support/client-snapshot.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { getPage, type Watch, watchNeighbour } from '../../support/neighbour.js';
import { EACH_STEP, injectPlanned, type Plan, sagaRows } from '../../support/planned-fault.js';
import { openSystem, type System } from '../../support/system.js';

const REFRESH_STEPS = ['find', 'files', 'restart', 'vhost', 'outside-check', 'drop-files', 'drop-vhost'];
const UPDATE_STEPS = [
  ...['find', 'settings', 'base-data', 'files', 'restart', 'vhost', 'outside-check', 'record'],
  ...['drop-files', 'drop-vhost'],
];
const UPDATE_CHOSEN = ['settings', 'base-data', 'restart', 'vhost', 'record', 'drop-vhost'];
const AFTER_COMMIT = ['drop-files', 'drop-vhost'];
/** With the Compose file among what differs; the other steps are those of an update. */
const REFRESH_ROWS = ['files', 'restart', 'vhost'];
/** A fault in each row; one after another on a client of its own. */
const LANES = 4;

type Kind = 'refresh' | 'update';

/** Before the commit a failed or cancelled change leaves no trace; in every other case it is done. */
function isUndone({ step, fault }: Plan): boolean {
  return fault !== 'loses its answer' && !AFTER_COMMIT.includes(step);
}

describe('a change of a client, when a step', { skip: noLab, concurrency: LANES }, () => {
  let system: System;
  let serverId: number;
  let watch: Watch;
  let rows = 0;
  const host = noLab === false ? sharedHost('maria') : (undefined as never);
  const lanes: { id: number; busy: boolean }[] = [];
  const plans = new Map<string, Plan>();

  before(async () => {
    const options = { slot: 62, limits: { forwardRetryMs: 500 } };
    system = await openSystem({ ...options, inject: (point, step) => inject(point, step) });
    serverId = await system.addServer(host);
    const made = await Promise.all(Array.from({ length: LANES + 1 }, () => system.addClient(serverId)));
    for (const { id, operation } of made) {
      // all at once, beside other files: longer than one alone
      const view = await system.until(operation, 'end', ({ endedAt }) => endedAt !== null, 240_000);
      assert.equal(view.state, 'succeeded');
      lanes.push({ id, busy: false });
    }
    const neighbour = lanes.pop();
    watch = watchNeighbour({
      address: host.address,
      hostname: await hostnameOf(system, neighbour?.id ?? 0),
    });
  });
  after(async () => {
    await watch?.stop();
    await system?.close();
    assert.deepEqual(watch?.disturbances(), []);
    assert.ok((watch?.asked() ?? 0) > 10);
  });

  for (const [kind, rows] of [
    ['refresh', sagaRows(REFRESH_ROWS, { chosen: REFRESH_ROWS, cancelled: ['restart'] })],
    ['update', sagaRows(UPDATE_STEPS, { chosen: UPDATE_CHOSEN, cancelled: ['base-data', 'restart'] })],
  ] as const) {
    for (const { step, fault } of rows) it(`${kind}: ${fault}: ${step}`, () => check(kind, { step, fault }));
  }

  function inject(point: 'before' | 'after', step: StepContext): Promise<void> {
    return injectPlanned(point, step, { client: system.client, planOf: ({ subject }) => plans.get(subject) });
  }

  async function check(kind: Kind, plan: Plan): Promise<void> {
    const lane = lanes.find(({ busy }) => !busy);
    assert.ok(lane);
    lane.busy = true;
    rows += 1;
    try {
      await checkOn(lane.id, kind, { plan, number: rows });
    } finally {
      lane.busy = false;
    }
  }

  async function checkOn(
    id: number,
    kind: Kind,
    { plan, number }: { plan: Plan; number: number },
  ): Promise<void> {
    if (kind === 'refresh') await age(id);
    const start = await clientSnapshot(system, host, id);
    plans.set(subjectId('client', id), plan);
    const operation = kind === 'refresh' ? await refresh(id) : await update(id, number);
    const view = await system.ended(operation);
    plans.delete(subjectId('client', id));
    assert.deepEqual(view.leftovers, []);
    const kept = await keptFormer(host, id, operation);
    const end = await clientSnapshot(system, host, id);
    if (isUndone(plan)) {
      assert.equal(view.state, plan.fault === 'is cancelled' ? 'cancelled' : 'rolled_back');
      assert.deepEqual(end, start);
      assert.deepEqual(kept, []);
    } else {
      assert.match(view.state, /^succeeded/, JSON.stringify(view));
      if (view.state === 'succeeded') assert.deepEqual(kept, []);
      if (kind === 'refresh') assertRefreshed(end);
      else await assertUpdated({ start, end, number });
    }
    assertTold(kind, plan, view);
  }

  /** Every step of the list was reached, so that no row tests nothing. */
  function assertTold(kind: Kind, { step }: Plan, { steps }: OperationView): void {
    const keys = steps.map(({ key }) => key);
    assert.ok(step === EACH_STEP || keys.includes(step), `${step} was not reached: ${keys.join()}`);
    const listed = kind === 'refresh' ? REFRESH_STEPS : UPDATE_STEPS;
    assert.deepEqual(keys, listed.slice(0, keys.length));
  }

  /**
   * As an older Slipway and an older `.env.example` would have left it, and with settings of the operator's own. Written
   * over in place, so that the container sees it as it would since its start.
   */
  async function age(id: number): Promise<void> {
    await host.exec(`
cd /srv/docker/clients/client${id}
over() { text=$(cat); printf '%s\n' "$text" > "$1"; }
sed -e '/^SAMPLE_MIGRATE_SECONDS=/d' -e 's/^APP_ENV=.*/APP_ENV=tuned/' -e '/^OWN=/d' -e '/^# slipway: no longer/d' .env |
  { cat; echo 'OWN="by hand"'; } | over .env
echo '# old' >> php/add_vars.ini
echo '# old' >> docker-compose.yml
echo '# old' >> /etc/nginx/conf.d/client${id}.conf`);
  }

  async function refresh(id: number): Promise<string> {
    const operation = makeOperationId(Date.now(), Math.random);
    await system.client.workflow.start('refreshClient', {
      workflowId: subjectId('client', id),
      taskQueue: system.taskQueue,
      args: [
        {
          operation: { id: operation, actor: 'test', requestId: null, onFailure: 'rollback' },
          params: { clientId: id, serverId },
        },
      ],
    });
    await system.until(operation, 'claim', ({ id: claimed }) => claimed === operation);
    return operation;
  }

  function assertRefreshed({ files, page }: ClientSnapshot): void {
    const env = JSON.parse(files.find((line) => line.startsWith('{')) ?? '{}') as Record<string, string>;
    assert.deepEqual([env['SAMPLE_MIGRATE_SECONDS'], env['APP_ENV'], env['OWN']], ['0', 'tuned', 'by hand']);
    assert.equal(page.status, 200);
  }

  async function update(id: number, number: number): Promise<string> {
    const fields = { subdomain: `saga${number}`, allowed_ips: number % 2 ? '["0.0.0.0/0"]' : '[]' };
    const { status, body } = await system.call('PUT', `/clients/${id}?on_failure=rollback`, {
      ...fields,
      name: `Laboratory ${number}`,
      email: `chief${number}@example.test`,
      admin_login: `chief${number}`,
      license: `licence ${number}`,
      license_expires_at: `2031-01-01 00:00:${String(number % 60).padStart(2, '0')}`,
      timezone: number % 2 ? 'Europe/Berlin' : 'Asia/Tokyo',
      city: `City ${number}`,
    });
    assert.equal(status, 202, JSON.stringify(body));
    return (body['operation'] as unknown as { id: string }).id;
  }

  async function assertUpdated(got: {
    start: ClientSnapshot;
    end: ClientSnapshot;
    number: number;
  }): Promise<void> {
    const { start, end, number } = got;
    assert.notEqual(end.hostname, start.hostname);
    assert.match(end.hostname, new RegExp(`^saga${number}\\.`));
    assert.equal(end.page.status, 200);
    assert.match(end.page.text, new RegExp(`Laboratory ${number}<`));
    const [user, ...more] = end.users;
    assert.deepEqual([user?.[0], user?.[4], more], [`chief${number}`, `chief${number}@example.test`, []]);
    assert.equal(user?.[5], start.users[0]?.[5], 'the password stays');
    const settings = new Map(end.settings.map(([name, value]) => [name, value]));
    assert.equal(settings.get('license'), `licence ${number}`);
    assert.equal(settings.get('license_expires_at'), end.row['license_expires_at']);
    assert.equal(end.row['city'], `City ${number}`);
    const env = end.files.find((line) => line.startsWith('{')) ?? '{}';
    assert.equal((JSON.parse(env) as Record<string, string>)['APP_NAME'], `Laboratory ${number}`);
    const former = await getPage({ address: host.address, hostname: start.hostname }).catch(() => undefined);
    assert.doesNotMatch(former?.text ?? '', /Laboratory/, 'the former name serves nobody');
  }
});
