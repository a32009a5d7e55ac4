import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { noLab, sharedHost } from '../support/lab.js';
import { openSystem, type System } from '../support/system.js';
import { census, traces } from '../support/census.js';

for (const [slot, name] of [
  [1, 'maria'],
  [2, 'pg'],
] as const) {
  describe(`the main job on ${name}`, { skip: noLab }, () => {
    let system: System;
    let serverId: number;
    const host = noLab === false ? sharedHost(name) : (undefined as never);

    before(async () => {
      system = await openSystem({ slot });
      serverId = await system.addServer(host);
    });
    after(() => system?.close());

    it('creates a client that answers through nginx, and its createlog ends with ok', async () => {
      const { id, operation } = await system.addClient(serverId);
      const end = await system.ended(operation);
      assert.equal(end.state, 'succeeded', JSON.stringify(end, null, 1));
      const { body: client } = await system.call('GET', `/clients/${id}`);
      assert.equal(client['status'], 'active');
      const { body: log } = await system.call('GET', `/clients/${id}/createlog`);
      assert.equal(log['completed'], 'ok');
      const page = await fetch(`http://${host.address}/`, { headers: { host: new URL(String(client['url'])).host } });
      console.log(page.status, await page.text());
    });
  });
}
