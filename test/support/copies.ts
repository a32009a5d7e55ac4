import assert from 'node:assert/strict';
import type { LabHost } from '../../lab/host.js';
import type { OperationView } from '../../workflows/contract/operation/operation.js';
import { readClientDatabase } from './client-database.js';
import { hostnameOf } from './client-checks.js';
import { ask, noteBodies } from './move-world.js';
import type { System } from './system.js';

/** A client at its host. */
export interface Placed {
  id: number;
  host: LabHost;
}

export interface Copying {
  system: System;
  source: Placed;
  /** of kind demo, on a stage server; its administrator is `boss` */
  target: Placed;
}

/** Keys that a copy must not send by, and one of the operator's own. */
export const SENDING_KEYS = { MAIL_KEY: 'real mail key', SMS_KEY: 'real sms key', OWN: 'by hand' };

export const TARGET_FIELDS = { kind: 'demo', admin_login: 'boss', email: 'boss@example.test', name: 'Stage' };

/** A source that has something to lose, with keys that send. */
export async function fillSource(system: System, { id, host }: Placed): Promise<void> {
  const lines = Object.entries(SENDING_KEYS).map(([key, value]) => `${key}="${value}"`);
  await host.exec(
    `cd /srv/docker/clients/client${id} && cat >> .env && mkdir -p public/uploads && head -c 100000 /dev/urandom > 'public/uploads/a b' && chown 33:33 'public/uploads/a b'`,
    { input: `${lines.join('\n')}\n` },
  );
  const hostname = await hostnameOf(system, id);
  for (const body of ['of a patient', 'another'])
    assert.equal((await ask(host, hostname, { path: '/notes', method: 'POST', body })).status, 201);
}

export async function startCopy({ system, source, target }: Copying, query = ''): Promise<string> {
  const { status, body } = await system.call('GET', `/clients/${source.id}/copy_to/${target.id}?${query}`);
  assert.equal(status, 202, JSON.stringify(body));
  return (body['operation'] as unknown as { id: string }).id;
}

/** The target has the source's data, made harmless, and is still who it was; `env` is its environment before. */
export async function assertCopied(
  { system, source, target }: Copying,
  view: OperationView,
  env: Record<string, string>,
): Promise<void> {
  assert.match(view.state, /^succeeded/, JSON.stringify(view));
  assert.deepEqual(view.leftovers, []);
  const page = await ask(target.host, await hostnameOf(system, target.id));
  assert.equal(page.status, 200, page.text);
  const kept = (await noteBodies(source.host, source.id)).length;
  assert.deepEqual(
    await noteBodies(target.host, target.id),
    Array.from({ length: kept }, (_, index) => `note ${index + 1}`),
  );
  const [from, to] = await Promise.all([sumOf(source), sumOf(target)]);
  assert.equal(to, from);
  const users = await readClientDatabase(
    target.host,
    target.id,
    'select login, email from users order by id',
  );
  assert.deepEqual(users.find(([login]) => login === 'boss')?.[1], 'boss@example.test');
  assert.ok(!JSON.stringify(users).includes('chief@example.test'), JSON.stringify(users));
  const now = await environmentOf(target);
  for (const key of ['APP_KEY', 'APP_URL', 'DB_DATABASE', 'DB_USERNAME', 'DB_PASSWORD', 'CLOUD_TOKEN'])
    assert.equal(now[key], env[key], key);
  assert.deepEqual([now['MAIL_KEY'], now['SMS_KEY'], now['OWN']], ['', '', 'by hand']);
  const { body: row } = await system.call('GET', `/clients/${target.id}`);
  assert.deepEqual([row['kind'], row['status'], row['admin_login']], ['demo', 'active', 'boss']);
}

/** What the product of a client reads from its `.env`. */
export async function environmentOf({ id, host }: Placed): Promise<Record<string, string>> {
  const { stdout } = await host.exec(`docker exec client${id} artisan env:show`);
  return JSON.parse(stdout) as Record<string, string>;
}

async function sumOf({ id, host }: Placed): Promise<string> {
  const { stdout } = await host.exec(
    `sha256sum < '/srv/docker/clients/client${id}/public/uploads/a b'; stat -c %u:%g '/srv/docker/clients/client${id}/public/uploads/a b'`,
  );
  return stdout;
}
