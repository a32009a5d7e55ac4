import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { createDockerActivities } from '../../../activities/clients/containers/activities.js';
import { clients } from '../../../db/schema/index.js';
import { createSecrets, parseSecretKeys } from '../../../db/secrets.js';
import { createConnections } from '../../../worker/connections.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import { newOperation, stepContext } from '../../activities/fake-connections.js';
import { census } from '../../support/census.js';
import { type ClientContents, clientContents } from '../../support/client-contents.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { HISTORY, REAL_DATABASE } from '../../support/real-database.js';
import { openSystem, type System } from '../../support/system.js';

for (const [slot, hostName] of [
  [70, 'maria'],
  [71, 'pg'],
] as const) {
  describe(`stopping, restoring and starting a client on ${hostName}`, { skip: noLab }, () => {
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);
    let system: System;
    let docker: ReturnType<typeof createDockerActivities>;
    let id: number;
    let neighbour: number;
    let thing: ClientThing;
    let path: string;
    let before_: ClientContents;
    let seq = 0;
    /** later than the creates, or their servers would refuse it */
    let operation: string;

    before(async () => {
      system = await openSystem({ slot });
      const serverId = await system.addServer(host);
      const made = await Promise.all([system.addClient(serverId), system.addClient(serverId)]);
      for (const { operation: created } of made) {
        const view = await system.ended(created);
        assert.match(view.state, /^succeeded/, JSON.stringify(view));
      }
      operation = newOperation();
      [id, neighbour] = made.map((client) => client.id) as [number, number];
      const [row] = await system.database.db.select().from(clients).where(eq(clients.id, id));
      assert.ok(row?.names && row.operationId);
      thing = { names: row.names, operation: row.operationId };
      const { db } = system.database;
      const secrets = createSecrets(parseSecretKeys(system.secretKey));
      const connections = createConnections({ db, secrets, ssh: system.ssh, checkAddresses: [] });
      docker = createDockerActivities({ ...connections, output: () => async () => undefined });
    });
    after(() => system?.close());

    function step(key: string, over: Partial<StepContext> = {}): StepContext {
      seq += 1;
      return stepContext(operation, { subject: `client:${id}`, step: key, title: key, seq, ...over });
    }
    const restart = () => docker.startStopped(thing, step('stop', { phase: 'undo' }));

    async function sql(statements: string): Promise<void> {
      const command =
        host.sqlEngine === 'mariadb'
          ? `mariadb client${id}`
          : `cd /; setpriv --reuid postgres --regid postgres --init-groups psql -h /run/postgresql -qXv ON_ERROR_STOP=1 client${id}`;
      // as the product itself would, which owns what it makes
      const role = host.sqlEngine === 'mariadb' ? '' : `SET ROLE client${id};\n`;
      await host.exec(command, { input: role + statements });
    }

    async function changeEverything(): Promise<void> {
      const table = host.sqlEngine === 'mariadb' ? 'other' : 'public.other';
      await sql(
        `DELETE FROM notes; CREATE TABLE ${table} (a int); DROP TABLE analyses; UPDATE users SET login = 'x'`,
      );
      await host.exec(`cd /srv/docker/clients/client${id}
echo changed >> .env; rm -rf public/uploads; mkdir public/new; echo new > public/new/file; echo more > extra; rm docker-compose.yml`);
    }

    async function stateOf(name: string): Promise<string | undefined> {
      return (await census(host)).containers.find((container) => container.name === name)?.state;
    }

    it('stops what runs, also over a restart of its Docker, and starts it again until it is healthy', async () => {
      await docker.stopContainers(thing, step('stop'));
      await docker.stopContainers(thing, step('stop'));
      assert.equal(await stateOf(`client${id}`), 'exited');
      const policy = `docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' client${id}`;
      assert.equal((await host.exec(policy)).stdout.trim(), 'no');
      assert.equal(await stateOf(`client${neighbour}`), 'running');
      await restart();
      await restart();
      assert.equal(await stateOf(`client${id}`), 'running');
      assert.equal((await host.exec(policy)).stdout.trim(), 'always');
      // gone altogether: made again from the client's own Compose file
      await docker.removeContainers(thing, step('stop', { phase: 'undo' }));
      await restart();
      assert.equal(await stateOf(`client${id}`), 'running');
    });

    it('is again what it was, rows and files, after everything has been changed', async () => {
      const rows = Array.from({ length: 2_000 }, (_, index) => `('note ${index} "x" \\\\ ü')`);
      await sql(`INSERT INTO notes (body) VALUES ${rows.join(',')};${REAL_DATABASE[host.sqlEngine]}`);
      await docker.stopContainers(thing, step('stop'));
      // what the SSH user keeps for itself is not how a client is dumped
      await host.exec(`cat > /var/www/.my.cnf`, {
        input: '[client]\ndefault-character-set=latin1\n[mysqldump]\nno-data\n[mariadb-dump]\nno-data\n',
      });
      ({ path } = await docker.backupClient({ ...thing, keepDays: 1 }, step('backup')));
      before_ = await clientContents(host, id);
      const other = await clientContents(host, neighbour);
      await changeEverything();
      assert.notDeepEqual(await clientContents(host, id), before_);
      await docker.restoreClient({ ...thing, path, what: 'both' }, step('one'));
      assert.deepEqual(await clientContents(host, id), before_);
      assert.deepEqual(await clientContents(host, neighbour), other);
      if (host.sqlEngine === 'mariadb') {
        const { stdout } = await host.exec(`mariadb --batch --skip-column-names client${id}`, {
          input: HISTORY,
        });
        assert.equal(stdout.trim(), '4');
      }
    });

    it('says what of a dump was refused, and nothing of what stands there', async () => {
      const secret = 'a-secret-of-a-visitor';
      const broken = `${path}-2`;
      if (host.sqlEngine === 'mariadb') {
        await host.exec(`cp -a ${path} ${broken}; cd ${broken}
{ zcat database.sql.gz
  echo '-- Dumping data for table \`notes\`'
  echo "INSERT INTO notes (id, body) VALUES (1, '${secret}'), (1, '${secret}');"; } | gzip > spoilt
mv spoilt database.sql.gz`);
      } else {
        // a rule that asks a table which is filled later: nobody can restore it
        await sql(`CREATE TABLE a_first (word text); CREATE TABLE z_last (word text);
CREATE FUNCTION known(text) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.z_last WHERE word = $1)';
INSERT INTO z_last VALUES ('${secret}'); ALTER TABLE a_first ADD CHECK (known(word)); INSERT INTO a_first VALUES ('${secret}');`);
        await docker.backupClient({ ...thing, keepDays: 1 }, step('backup', { try: 2 }));
      }
      await assert.rejects(
        docker.restoreClient({ ...thing, path: broken, what: 'database' }, step('broken')),
        ({ message }: Error) => {
          const told =
            host.sqlEngine === 'mariadb'
              ? /ERROR 1062 \(23000\) at line \d+ of the dump: Dumping data for table `notes`/
              : /COPY failed for table "a_first"[^]*violates check constraint/;
          assert.match(message, told);
          assert.doesNotMatch(message, new RegExp(secret));
          return true;
        },
      );
      await docker.restoreClient({ ...thing, path, what: 'database' }, step('mended'));
      assert.deepEqual(await clientContents(host, id), before_);
    });

    it('restores the database or the files alone', async () => {
      await changeEverything();
      const changed = await clientContents(host, id);
      await docker.restoreClient({ ...thing, path, what: 'files' }, step('two'));
      const files = await clientContents(host, id);
      assert.deepEqual([files.database, files.files], [changed.database, before_.files]);
      await docker.restoreClient({ ...thing, path, what: 'database' }, step('three'));
      assert.deepEqual(await clientContents(host, id), before_);
    });

    it('is really tried again as an undo that has failed', async () => {
      await changeEverything();
      await host.exec(`mv ${path} ${path}-away`);
      const undo = (attempt: number) =>
        docker.restoreClient({ ...thing, path, what: 'both' }, step('undone', { phase: 'undo', attempt }));
      await assert.rejects(undo(1), /there is no backup/);
      await host.exec(`mv ${path}-away ${path}`);
      await undo(2);
      assert.deepEqual(await clientContents(host, id), before_);
    });

    it('ends alike when it is killed in the middle and tried again', async () => {
      await changeEverything();
      const key = jobKey({ operation, step: 'killed', try: 1 });
      // by the host itself, while the restore is not over yet
      const killAt = (words: string) =>
        host.exec(`for _ in $(seq 6000); do
dir=$(ls -d /srv/slipway/jobs/${key}* 2>/dev/null | sort -V | tail -n 1)
if grep -qs '${words}' "$dir/log"; then break; fi
sleep 0.01
done
grep -q '${words}' "$dir/log" && read -r leader rest < "$dir/pid" && kill -9 -- -$leader`);
      const input = { ...thing, path, what: 'both' as const };
      for (const [index, words] of ['restoring database', 'restoring files'].entries()) {
        const killed = killAt(words);
        const call = docker.restoreClient(input, step('killed', { attempt: index + 1 }));
        await assert.rejects(call, (error: Error) => kindOf(error) === 'Unavailable', words);
        await killed;
        // half-restored: it is not started meanwhile
        await assert.rejects(restart(), /not back from the backup/);
      }
      await docker.restoreClient(input, step('killed', { attempt: 3 }));
      assert.deepEqual(await clientContents(host, id), before_);
    });

    it('never touches a foreign directory or database, and nothing that runs', async () => {
      await changeEverything();
      const changed = await clientContents(host, id);
      const refused = async (kind: string) => {
        const call = docker.restoreClient({ ...thing, path, what: 'both' }, step(`refused-${(seq += 1)}`));
        await assert.rejects(call, (error: Error) => kindOf(error) === kind);
        assert.deepEqual(await clientContents(host, id), changed);
      };
      const directory = `/srv/docker/clients/client${id}/.slipway`;
      const own = (await host.exec(`cat ${directory}`)).stdout;
      await host.exec(`echo slipway:other > ${directory}`);
      await refused('Conflict');
      await host.exec(`cat > ${directory}`, { input: own });
      const mark = (text: string) =>
        sql(
          host.sqlEngine === 'mariadb'
            ? `ALTER DATABASE client${id} COMMENT '${text}'`
            : `RESET ROLE; COMMENT ON DATABASE client${id} IS '${text}'`,
        );
      await mark('somebody else');
      await refused('Conflict');
      await mark(own.trim());
      const elsewhere = docker.restoreClient({ ...thing, path: '/etc', what: 'files' }, step('elsewhere'));
      await assert.rejects(elsewhere, (error: Error) => kindOf(error) === 'InvalidInput');
      await docker.restoreClient({ ...thing, path, what: 'both' }, step('back'));
      await restart();
      const running = docker.restoreClient({ ...thing, path, what: 'database' }, step('running'));
      await assert.rejects(running, /are running/);
      assert.equal(await stateOf(`client${id}`), 'running');
    });
  });
}
