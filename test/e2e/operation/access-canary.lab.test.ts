import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { readStepOutput } from '../../../activities/operation/step-output.js';
import { secrets } from '../../../db/schema/index.js';
import { createSecrets, parseSecretKeys } from '../../../db/secrets.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import { labPrivateKey, noLab, sharedHost } from '../../support/lab.js';
import { ownBaseDirectory } from '../../support/own-base-directory.js';
import {
  findSecrets,
  type ProcessWatch,
  readHistories,
  readTables,
  type Secret,
  type Sources,
  watchProcesses,
} from '../../support/secret-scan.js';
import { ADMIN, openSystem, type System } from '../../support/system.js';

const canary = (name: string): string => `${name} 7/+%&"ü ${randomBytes(9).toString('hex')}`;

for (const [slot, hostName] of [
  [33, 'maria'],
  [34, 'pg'],
] as const) {
  describe(`secrets of operations on ${hostName}`, { skip: noLab }, () => {
    let system: System;
    let serverId: number;
    let watch: ProcessWatch;
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);
    const baseDir = `/srv-canary${slot}`;
    const answers: string[] = [];
    const containers: string[] = [];
    /** goes the ways that secrets must not go: what does not find it does not look */
    const planted = `planted-${randomBytes(9).toString('hex')}`;
    const known = new Map<string, Secret>();

    before(async () => {
      system = await openSystem({ slot });
      const call = system.call;
      system.call = async (...args) => {
        const answer = await call(...args);
        answers.push(JSON.stringify(answer.body), JSON.stringify([...answer.headers]));
        return answer;
      };
      await ownBaseDirectory(host, baseDir);
      watch = watchProcesses(host, `canary${slot}`);
      serverId = await system.addServer(host, { base_dir: baseDir });
      for (const [name, value] of Object.entries({
        "the backend's SQL password": host.sqlPassword,
        "the API's password": ADMIN.password,
        'the key of the secrets': system.secretKey,
        "Slipway's SSH key": longestLine(labPrivateKey()),
      })) {
        known.set(name, { name, value });
      }
    });
    after(async () => {
      await system?.close();
      await host?.exec(`rm -rf ${baseDir}`);
    });

    it('show nowhere: not in histories, tables, logs, answers, outputs, containers, nor among processes', async () => {
      await Promise.all([createChangeDelete(), createWithLatePassword()]);
      await createThatPrintsItsPassword();

      // planted where the caller decides what is written
      await system.call('GET', '/clients', undefined, { 'x-request-id': planted });
      await host.exec(`bash -c 'sleep 0.3; :' ${planted}`);
      await delay(100);
      const { lines, looks } = await watch.stop();
      assert.ok(looks > 100, `only ${looks} looks at the processes`);
      const sources: Sources = {
        histories: await readHistories(system),
        tables: await readTables(system.database.db),
        logs: system.log,
        answers,
        containers,
        processes: lines,
      };
      const kinds = [...known.values()].map(({ name }) => name.replace(/ of (client|server).*/, ''));
      assert.deepEqual([...new Set(kinds)].sort(), KINDS);
      for (const source of Object.keys(sources)) {
        const found = findSecrets([{ name: 'it', value: planted }], { [source]: sources[source] ?? [] });
        assert.ok(found.length > 0, `what was planted is not found in ${source}`);
      }
      assert.deepEqual(findSecrets([...known.values()], sources), []);
    });

    async function createChangeDelete(): Promise<void> {
      const password = learn('a given password', canary('given'));
      const { id, operation } = await system.addClient(serverId, { password });
      assert.equal((await system.ended(operation)).state, 'succeeded');
      await learnGenerated();
      const inspect = `box=$(docker create --env IT=${planted} busybox:latest); docker ps -aq | xargs docker inspect; docker rm "$box" >&2`;
      containers.push((await host.exec(inspect)).stdout);
      const changed = learn('a changed password', canary('changed'));
      const { body } = await system.call('POST', `/clients/${id}/admin_password`, {
        password: changed,
        confirm_password: changed,
      });
      assert.equal((await system.ended(operationOf(body))).state, 'succeeded');
      const deleted = await system.call('DELETE', `/clients/${id}`);
      assert.equal((await system.ended(operationOf(deleted.body))).state, 'succeeded');
      await system.call('GET', `/clients/${id}/createlog`);
      await system.call('GET', '/backups');
    }

    async function createWithLatePassword(): Promise<void> {
      const { id, operation } = await system.addClient(serverId, { password: '', name: planted });
      await system.until(operation, 'start', ({ steps }) => steps.length > 1);
      await learnGenerated();
      const password = learn('a late password', canary('late'));
      await system.call('POST', `/clients/${id}/admin_password`, { password, confirm_password: password });
      // the sender decides what a note says
      await system.client.workflow.getHandle(`client:${id}`).signal('retry', { note: planted });
      assert.equal((await system.ended(operation)).state, 'succeeded');
      await system.call('GET', `/clients/${id}`);
    }

    /** The product itself prints what it should not: into its output, its failure, the hold and the log. */
    async function createThatPrintsItsPassword(): Promise<void> {
      await ownBaseDirectory(host, baseDir, {
        SAMPLE_MIGRATE_SECONDS: '"${DB_PASSWORD}${APP_KEY}"',
      });
      const { id, operation } = await system.addClient(serverId);
      const view = await system.until(operation, 'hold', ({ state }) => state === 'holding');
      await learnGenerated();
      const message = view.hold?.error.message ?? '';
      assert.match(message, /SAMPLE_MIGRATE_SECONDS.*\*\*\*/s);
      assert.match(
        await readStepOutput(system.database.db, operation, 'migrate'),
        /SAMPLE_MIGRATE_SECONDS.*\*\*\*/s,
      );
      await system.call('GET', `/clients/${id}/createlog`);
      await system.call('POST', `/operations/${operation}/rollback`, {});
      const end: OperationView = await system.ended(operation);
      assert.equal(end.state, 'rolled_back', JSON.stringify(end));
    }

    function learn(name: string, value: string): string {
      known.set(name, { name, value });
      return value;
    }

    /** Everything that is stored encrypted now. */
    async function learnGenerated(): Promise<void> {
      const { db } = system.database;
      const opened = createSecrets(parseSecretKeys(system.secretKey));
      for (const { id, owner, name } of await db.select().from(secrets)) {
        const value = await opened.reveal(db, id);
        if (value !== undefined) learn(`${name} of ${owner.replace('clients/', 'client ')}`, value);
      }
    }
  });
}

const KINDS = [
  "Slipway's SSH key",
  'a changed password',
  'a given password',
  'a late password',
  'admin_password',
  'application_key',
  'client_token',
  'database_password',
  'sql_password',
  "the API's password",
  "the backend's SQL password",
  'the key of the secrets',
];

function longestLine(text: string): string {
  return text.split('\n').reduce((longest, line) => (line.length >= longest.length ? line : longest), '');
}

function operationOf(body: Record<string, unknown>): string {
  return (body['operation'] as { id: string }).id;
}
