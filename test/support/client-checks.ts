import assert from 'node:assert/strict';
import type { LabHost } from '../../lab/host.js';
import type { OperationView } from '../../workflows/contract/operation/operation.js';
import { census, traces } from './census.js';
import { getPage } from './neighbour.js';
import type { System } from './system.js';

export interface Checked {
  system: System;
  host: LabHost;
  id: number;
  view: OperationView;
}

/** Nothing on the host bears the client's name, and its row says that it failed. */
export async function assertGone(
  { system, host, id, view }: Checked,
  state: OperationView['state'],
): Promise<void> {
  assert.equal(view.state, state, JSON.stringify(view));
  assert.deepEqual(view.leftovers, []);
  assert.deepEqual(traces(await census(host), `client${id}`), []);
  const { body } = await system.call('GET', `/clients/${id}`);
  assert.equal(body['status'], 'failed');
  const { body: log } = await system.call('GET', `/clients/${id}/createlog`);
  assert.equal(log['completed'], 'error');
}

/** One container, the page answers, and the createlog is one gap-free text with one end. */
export async function assertHealthy({ system, host, id, view }: Checked): Promise<void> {
  assert.match(view.state, /^succeeded/, JSON.stringify(view));
  const page = await getPage({ address: host.address, hostname: await hostnameOf(system, id) });
  assert.equal(page.status, 200);
  const made = (await census(host)).containers.filter(({ project }) => project === `client${id}`);
  assert.equal(made.length, 1);
  const { body: log } = await system.call('GET', `/clients/${id}/createlog`);
  assert.equal(log['completed'], 'ok');
}

/** Deletes the client through the API; nothing of it is left on the host. */
export async function removeClient(system: System, host: LabHost, id: number): Promise<void> {
  const { status, body } = await system.call('DELETE', `/clients/${id}?keep_backup=false`);
  assert.equal(status, 202, JSON.stringify(body));
  const view = await system.ended((body['operation'] as unknown as { id: string }).id);
  assert.equal(view.state, 'succeeded', JSON.stringify(view));
  assert.deepEqual(traces(await census(host), `client${id}`), []);
}

export async function hostnameOf(system: System, id: number): Promise<string> {
  const { body } = await system.call('GET', `/clients/${id}`);
  return new URL(String(body['url'])).host;
}
