import assert from 'node:assert/strict';
import type { LabHost } from '../../lab/host.js';
import type { OperationView } from '../../workflows/contract/operation/operation.js';
import { census } from './census.js';
import { hostnameOf } from './client-checks.js';
import { databaseNameOf, readClientDatabase } from './client-database.js';
import { getPage } from './neighbour.js';
import type { System } from './system.js';
import type { Visitors } from './visitors.js';

export const OLD = '1.3-master';
export const NEW = '1.4-master';
/** What the new version's migrations bring. */
export const NEW_MIGRATION = '0009_add_seen_to_notes';

/** Steps of a switch, in its order; a migrate has the same. */
export const CHANGE_STEPS_BEFORE_COMMIT = [
  'find',
  'check-image',
  'check-database',
  'check-room',
  'traffic-off',
  'stop',
  'database',
  'backup',
  'record-backup',
  'spare',
  'copy',
  'image',
  'update',
  'version',
  'start',
];
export const CHANGE_STEPS = [...CHANGE_STEPS_BEFORE_COMMIT, 'record', 'traffic-off-left', 'drop-copy'];

export interface Changing {
  system: System;
  host: LabHost;
  id: number;
  visitors: Visitors;
}

/** Starts a change of version by the API; answers the operation. */
export async function change({ system, id }: Changing, what: string, query = ''): Promise<string> {
  const { status, body } = await system.call('GET', `/clients/${id}/${what}?${query}`);
  assert.equal(status, 202, JSON.stringify(body));
  return (body['operation'] as unknown as { id: string }).id;
}

/** Page, container, row, cloud settings and data are all of one version, and no confirmed note is lost. */
export async function assertServes(changing: Changing, version: string): Promise<void> {
  const { system, host, id, visitors } = changing;
  const page = await getPage({ address: host.address, hostname: await hostnameOf(system, id) });
  assert.equal(page.status, 200, page.text);
  assert.match(page.text, new RegExp(`Version ${version}<`));
  const found = await census(host);
  const databases = found.databases
    .map(({ name }) => name)
    .filter((name) => name.replace('_b', '') === `client${id}`);
  assert.deepEqual(databases, [await databaseNameOf(host, id)]);
  const made = found.containers.filter(({ project }) => project === `client${id}`);
  assert.deepEqual(
    made.map(({ image, state }) => [image, state]),
    [[`slipway-sample:${version}`, 'running']],
  );
  const { body: row } = await system.call('GET', `/clients/${id}`);
  assert.deepEqual([row['version_tag'], row['status']], [version, 'active']);
  const [setting] = await readClientDatabase(
    host,
    id,
    `select value from cloud_settings where name = 'version'`,
  );
  assert.deepEqual(setting, [version]);
  const migrated = await readClientDatabase(
    host,
    id,
    `select migration from migrations where migration = '${NEW_MIGRATION}'`,
  );
  assert.equal(migrated.length, version === NEW ? 1 : 0);
  await assertNotesKept(changing);
  visitors.forget();
}

async function assertNotesKept({ host, id, visitors }: Changing): Promise<void> {
  const confirmed = visitors.confirmed();
  const kept = new Set((await readClientDatabase(host, id, 'select body from notes')).map(([body]) => body));
  assert.deepEqual(
    confirmed.filter((note) => !kept.has(note)),
    [],
  );
  assert.ok(confirmed.length > 0);
}

/** An operation that came to nothing: nobody has seen anything but the old version and the notice of maintenance. */
export async function assertWentBack(changing: Changing, view: OperationView, state: string): Promise<void> {
  assert.equal(view.state, state, JSON.stringify(view));
  assert.deepEqual(view.leftovers, []);
  assertSeen(changing, [OLD]);
  await assertServes(changing, OLD);
}

export async function assertSwitched(changing: Changing, view: OperationView): Promise<void> {
  assert.equal(view.state, 'succeeded', JSON.stringify(view));
  assert.deepEqual(view.leftovers, []);
  assertSeen(changing, [OLD, NEW]);
  await assertServes(changing, NEW);
}

/** 0: an answer that was cut off as its container was stopped; 502: the same, said by nginx before its reload. */
function assertSeen({ visitors }: Changing, versions: string[]): void {
  const allowed = [...versions, '503', '502', '0'];
  assert.deepEqual(
    visitors.seen().filter((page) => !allowed.includes(page)),
    [],
  );
}

/** Back to the old version, and its data with it, so that the next case begins like the first. */
export async function resetVersion(changing: Changing): Promise<void> {
  const { system, host, id } = changing;
  const operation = await change(changing, `switch/${OLD}`, 'force=true');
  const view = await system.ended(operation);
  assert.equal(view.state, 'succeeded', JSON.stringify(view));
  await readClientDatabase(
    host,
    id,
    `delete from migrations where migration = '${NEW_MIGRATION}'; alter table notes drop column seen;`,
  );
  changing.visitors.forget();
}
