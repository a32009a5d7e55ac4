import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { pollUntil } from '../../../process/poll.js';
import { assertHealthy, hostnameOf, removeClient } from '../../support/client-checks.js';
import { CREATE_CLIENT_STEPS } from '../../support/create-client-steps.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { getPage } from '../../support/neighbour.js';
import { openSystem, type System } from '../../support/system.js';

interface CreateLog {
  status: string;
  completed: 'ok' | 'error' | null;
  log: { time: string; step: string; message: string; level: string }[];
}

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

    it('finds the lab host ready: every line of check_host is green or a warning', async () => {
      // of a host that is busy for longer than the report's time some lines have no answer yet: it is asked again
      const lines = await pollUntil({
        what: `check_host of ${host.name}`,
        deadlineMs: 90_000,
        everyMs: 1_000,
        probe: async () => {
          const { status, body } = await system.call('GET', `/servers/check_host/${host.address}`);
          const found = (body['lines'] ?? []) as unknown as { key: string; level: string }[];
          const wrong = found.filter(({ level }) => level === 'error');
          if (body['ready'] !== true) throw new Error(`${status} ${JSON.stringify(wrong)}`);
          return found;
        },
      });
      assert.ok(lines.length > 15);
    });

    it('creates a client that answers through nginx, tells it by mail, and deletes it without a trace', async () => {
      const { id, operation } = await system.addClient(serverId, { name: 'Laboratory of the main job' });
      const view = await system.ended(operation);
      assert.equal(view.state, 'succeeded', JSON.stringify(view));
      assert.deepEqual(
        view.steps.map(({ key, state }) => [key, state]),
        CREATE_CLIENT_STEPS.map((key) => [key, 'done']),
      );
      await assertHealthy({ system, host, id, view });
      const page = await getPage({ address: host.address, hostname: await hostnameOf(system, id) });
      assert.match(page.text, /Laboratory of the main job/);

      const { body } = await system.call('GET', `/clients/${id}/createlog`);
      const { status, completed, log } = body as unknown as CreateLog;
      assert.equal(completed, 'ok');
      assert.equal(status, 'succeeded');
      const told = log.map(({ message }) => message);
      assert.deepEqual(told.slice(0, 2), [view.title, 'Take a port and a network …']);
      assert.match(told.at(-1) ?? '', /: succeeded$/);

      const mail = system.mails.find(
        ({ text }) => text.includes('Correct-horse-9') || text.includes('base64'),
      );
      assert.deepEqual(mail?.to, ['chief@example.test']);
      await removeClient(system, host, id);
      assert.equal((await system.call('GET', `/clients/${id}`)).status, 404);
    });

    it('leaves no job directories behind', async () => {
      const { id, operation } = await system.addClient(serverId);
      assert.equal((await system.ended(operation)).state, 'succeeded');
      const jobs = await host.exec(`ls /srv/slipway/jobs | grep -ci '^${operation}' || true`);
      assert.equal(jobs.stdout.trim(), '0');
      await removeClient(system, host, id);
    });
  });
}
