import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients, mails, secrets } from '../../../db/schema/index.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { assertHealthy, removeClient } from '../../support/client-checks.js';
import { readClientDatabase } from '../../support/client-database.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { verifiesPassword } from '../../support/password-hash.js';
import { openSystem, type System } from '../../support/system.js';

for (const [slot, hostName] of [
  [31, 'maria'],
  [32, 'pg'],
] as const) {
  describe(`the administrator's password on ${hostName}`, { skip: noLab }, () => {
    let system: System;
    let serverId: number;
    /** creates wait before a step until they are let on */
    let gate: { step: string; opened: Promise<void> } | undefined;
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);

    before(async () => {
      system = await openSystem({ slot, inject: waitAtGate });
      serverId = await system.addServer(host);
    });
    after(() => system?.close());

    async function waitAtGate(point: 'before' | 'after', { step }: StepContext): Promise<void> {
      if (point === 'before' && step === gate?.step) await gate.opened;
    }

    it('given by nobody, nobody is told one; the first that is set is mailed', async () => {
      const email = `nobody${slot}@example.test`;
      const { id, operation } = await system.addClient(serverId, { password: '', email });
      const view = await system.ended(operation);
      await assertHealthy({ system, host, id, view });
      assert.ok(!view.steps.some(({ key }) => key === 'mail' || key.startsWith('admin-password')));
      assert.deepEqual(mailsTo(email), []);
      assert.match(await loginHash(id), /^\$2[aby]\$\d\d\$/);
      const { operation: first } = await setPassword(id, 'First-horse-3');
      assert.equal((await system.ended(first.id)).state, 'succeeded');
      const { operation: second } = await setPassword(id, 'Second-horse-4');
      assert.equal((await system.ended(second.id)).state, 'succeeded');
      const [mail, ...more] = mailsTo(email);
      assert.deepEqual([/First-horse-3/.test(mail ?? ''), more], [true, []]);
      assert.equal(await verifiesPassword('Second-horse-4', await loginHash(id)), true);
      await removeClient(system, host, id);
    });

    it('set while the create runs, it is set by the create, and mailed once', async () => {
      const email = `during${slot}@example.test`;
      const { id, operation, open } = await createUntil('migrate', { password: '', email });
      const first = await setPassword(id, 'First "horse" $1');
      const second = await setPassword(id, 'Second ホース %n');
      for (const { status, operation: handed } of [first, second]) {
        assert.deepEqual([status, handed], [202, { id: operation, kind: 'create_client' }]);
      }
      open();
      const view = await system.ended(operation);
      await assertHealthy({ system, host, id, view });
      assert.deepEqual(
        view.steps.slice(-3).map(({ key, state }) => [key, state]),
        [
          ['admin-password-1', 'done'],
          ['admin-password-2', 'done'],
          ['mail', 'done'],
        ],
      );
      const hash = await loginHash(id);
      assert.equal(await verifiesPassword('Second ホース %n', hash), true);
      assert.equal(await verifiesPassword('First "horse" $1', hash), false);

      const [mail, ...more] = mailsTo(email);
      assert.deepEqual(more, []);
      assert.match(mail ?? '', /Second ホース %n/);
      assert.match(mail ?? '', /Login: chief/);
      const { db } = system.database;
      const [sent] = await db.select().from(mails).where(eq(mails.recipient, email));
      assert.deepEqual([sent?.template, sent?.state], ['send_success', 'sent']);
      await assertErased(id);
      await removeClient(system, host, id);
    });

    it('set while the create is at its very last step, it is set all the same', async () => {
      const { id, operation, open } = await createUntil('mail');
      const { status, operation: started } = await setPassword(id, 'Late-horse-1');
      assert.equal(status, 202);
      open();
      await assertHealthy({ system, host, id, view: await system.ended(operation) });
      assert.equal((await system.ended(started.id)).state, 'succeeded');
      assert.equal(await verifiesPassword('Late-horse-1', await loginHash(id)), true);
      await removeClient(system, host, id);
    });

    it('set after the create, it is an operation of its own', async () => {
      const { id, operation } = await system.addClient(serverId);
      await assertHealthy({ system, host, id, view: await system.ended(operation) });
      assert.equal(await verifiesPassword('Correct-horse-9', await loginHash(id)), true);
      const { status, operation: started } = await setPassword(id, "It's a; DROP TABLE users; -- horse");
      assert.deepEqual([status, started.kind], [202, 'set_admin_password']);
      assert.notEqual(started.id, operation);
      assert.equal((await system.ended(started.id)).state, 'succeeded');
      const hash = await loginHash(id);
      assert.equal(await verifiesPassword("It's a; DROP TABLE users; -- horse", hash), true);
      assert.equal(await verifiesPassword('Correct-horse-9', hash), false);

      const unequal = { password: 'One-horse-7', confirm_password: 'Other-horse-7' };
      const refused = await system.call('POST', `/clients/${id}/admin_password`, unequal);
      assert.equal(refused.status, 422);
      assert.match(JSON.stringify(refused.body['errors']), /confirm_password/);
      assert.equal(await loginHash(id), hash);
      await removeClient(system, host, id);
    });

    /** A create that stands before a step until `open` is called. */
    async function createUntil(step: string, fields: Record<string, string> = {}) {
      let open = (): void => undefined;
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      gate = { step, opened };
      const made = await system.addClient(serverId, fields);
      const stands = ({ steps }: OperationView) =>
        steps.some(({ key, state }) => key === step && state === 'running');
      await system.until(made.operation, 'gate', stands);
      return { ...made, open };
    }

    async function setPassword(id: number, password: string) {
      const { status, body } = await system.call('POST', `/clients/${id}/admin_password`, {
        password,
        confirm_password: password,
      });
      const { id: operation, kind } = (body['operation'] ?? {}) as unknown as { id: string; kind: string };
      return { status, operation: { id: operation, kind } };
    }

    async function loginHash(id: number): Promise<string> {
      const [row] = await readClientDatabase(host, id, "select password from users where login = 'chief'");
      return row?.[0] ?? '';
    }

    /** Texts of the mails to an address, decoded. */
    function mailsTo(address: string): string[] {
      return system.mails
        .filter(({ to }) => to.includes(address))
        .map(({ text }) => decodeQuotedPrintable(text));
    }

    async function assertErased(id: number): Promise<void> {
      const { db } = system.database;
      const [row] = await db.select().from(clients).where(eq(clients.id, id));
      assert.equal(row?.adminPassword, null);
      const kept = await db
        .select({ name: secrets.name })
        .from(secrets)
        .where(eq(secrets.owner, `clients/${id}`));
      assert.deepEqual(kept.map(({ name }) => name).sort(), [
        'application_key',
        'client_token',
        'database_password',
      ]);
    }
  });
}

function decodeQuotedPrintable(text: string): string {
  const bytes = text
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
