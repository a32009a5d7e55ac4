import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toolsDir } from '../../../start/tools/config.js';
import { type LabHost, startLabHost } from '../../../lab/host.js';
import { deliverProduct } from '../../../lab/product/deliver.js';
import { buildSampleImage } from '../../../lab/product/image.js';
import type { PlannedStep } from '../../../workflows/contract/operation/plan.js';
import { census } from '../../support/census.js';
import { assertHealthy } from '../../support/client-checks.js';
import { readClientDatabase } from '../../support/client-database.js';
import { CREATE_CLIENT_STEPS } from '../../support/create-client-steps.js';
import { noLab, sharedLab } from '../../support/lab.js';
import { clientFields, openSystem, type System } from '../../support/system.js';
import { tableContents } from '../../support/table-contents.js';

interface Plan {
  kind: string;
  subject: string;
  steps: PlannedStep[];
}

for (const [slot, sql, compose] of [
  [44, 'mariadb', 'v2'],
  [45, 'postgres', 'v1'],
] as const) {
  describe(`a plan, on a host with ${sql},`, { skip: noLab }, () => {
    let system: System;
    let host: LabHost;
    let serverId: number;
    let client: number | undefined;

    before(async () => {
      const log = (): void => undefined;
      const cacheDir = join(toolsDir, 'sample-product');
      // a host of its own: on a shared one others change what must stay
      host = await startLabHost({
        name: `plan${slot}x${process.pid}`,
        sql,
        compose,
        authorizedKey: await readFile(`${sharedLab().sshKeyFile}.pub`, 'utf8'),
        log,
        images: [await buildSampleImage({ version: '1.3-master', cacheDir, log })],
      });
      await deliverProduct(host);
      system = await openSystem({ slot });
      serverId = await system.addServer(host);
    });
    after(async () => {
      await system?.close();
      await host?.stop();
    });

    /** All that an operation could have changed: things, files with size and time, SQL, and our own records. */
    async function everything() {
      const files = await host.exec(
        "find /srv /etc/nginx -printf '%p %y %s %m %u %T@\\n' | grep -v '/storage/logs/' | sort",
      );
      const rows =
        client === undefined
          ? []
          : await readClientDatabase(host, client, 'select login, password from users');
      return {
        census: await census(host),
        files: files.stdout.split('\n'),
        rows,
        tables: await tableContents(system.database.db),
      };
    }

    async function planOf(method: string, path: string, fields?: Record<string, string>): Promise<Plan> {
      const { status, body } = await system.call(method, `${path}?plan=true`, fields);
      assert.equal(status, 200, JSON.stringify(body));
      return body['plan'] as unknown as Plan;
    }

    const keysOf = ({ steps }: Plan): string[] =>
      steps.filter(({ kind }) => kind !== 'commit').map(({ key }) => key);

    it('of a create changes nothing, and the create does exactly the planned steps', async () => {
      const fields = clientFields(serverId);
      const found = await everything();
      const plan = await planOf('POST', '/clients', fields);
      assert.deepEqual(await everything(), found);
      assert.deepEqual(keysOf(plan), CREATE_CLIENT_STEPS);

      const { id, operation } = await system.addClient(serverId, fields);
      const view = await system.ended(operation);
      await assertHealthy({ system, host, id, view });
      assert.deepEqual(
        view.steps.map(({ key }) => key),
        keysOf(plan),
      );
      client = id;
    });

    it('of a new password or a delete changes nothing', async () => {
      const id = client ?? 0;
      const found = await everything();
      const fields = { password: 'Other-horse-3', confirm_password: 'Other-horse-3' };
      const password = await planOf('POST', `/clients/${id}/admin_password`, fields);
      const removal = await planOf('DELETE', `/clients/${id}`);
      assert.deepEqual(await everything(), found);
      assert.deepEqual(keysOf(password), ['find', 'password', 'record']);
      assert.deepEqual(
        removal.steps.map(({ kind, target }) => [kind, target]),
        [
          ['check', `client:${id}`],
          ['commit', `client:${id}`],
          ['step', `client:${id}`],
          ['step', `/etc/nginx/conf.d/client${id}.conf`],
          ['step', `client${id}`],
          ['step', `/srv/docker/clients/client${id}`],
          ['step', `client:${id}`],
          ['step', `client${id}_b`],
          ['step', `client${id}_b`],
          ['step', `/srv/docker/clients/client${id}`],
          ['step', `client${id}`],
          ['step', `client:${id}`],
        ],
      );
    });

    it('finds what stands in the way of a create, and changes nothing', async () => {
      const fields = clientFields(serverId);
      const hostname = `${fields['subdomain']}.${host.name}.example.test`;
      const foreign = '/etc/nginx/conf.d/foreign.conf';
      await host.exec(`cat > ${foreign}`, {
        input: `server { listen 127.0.0.1:81; server_name ${hostname}; }\n`,
      });
      const found = await everything();
      const taken = await system.call('POST', '/clients?plan=true', fields);
      const version = { ...clientFields(serverId), version_tag: '9.9-never' };
      const unknown = await system.call('POST', '/clients?plan=true', version);
      assert.deepEqual(await everything(), found);
      assert.deepEqual(
        [taken, unknown].map(({ status, body }) => [status, body['code'], body['kind'], body['step']]),
        [
          [409, 'check_failed', 'Conflict', 'check-host'],
          [422, 'check_refused', 'InvalidInput', 'check-host'],
        ],
      );
      assert.match(String(taken.body['detail']), new RegExp(`server_name ${hostname} in ${foreign}`));
      assert.match(String(unknown.body['detail']), /9\.9-never .* there are 1\.3-master/);
    });
  });
}
