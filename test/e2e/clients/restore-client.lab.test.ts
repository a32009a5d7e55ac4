import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { createDockerActivities } from '../../../activities/clients/containers/activities.js';
import { clients, operations } from '../../../db/schema/index.js';
import { createSpareActivities } from '../../../activities/clients/database/spare.js';
import { createSecrets, parseSecretKeys } from '../../../db/secrets.js';
import { createConnections } from '../../../worker/connections.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { spareOf } from '../../../workflows/contract/clients/databases.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import { newOperation, stepContext } from '../../activities/fake-connections.js';
import { census } from '../../support/census.js';
import { hostnameOf } from '../../support/client-checks.js';
import { type ClientContents, clientContents } from '../../support/client-contents.js';
import { databaseNameOf } from '../../support/client-database.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { getPage } from '../../support/neighbour.js';
import { HISTORY, REAL_DATABASE } from '../../support/real-database.js';
import { openSystem, type System } from '../../support/system.js';

for (const [slot, hostName] of [
  [70, 'maria'],
  [71, 'pg'],
] as const) {
  describe(`a client's whole copy on ${hostName}`, { skip: noLab }, () => {
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);
    let system: System;
    let docker: ReturnType<typeof createDockerActivities>;
    let spare: ReturnType<typeof createSpareActivities>;
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
      spare = createSpareActivities({ db, connections });
      // what its acts record is its own
      const begun = { kind: 'migrate_client', state: 'running', title: 'by hand', actor: 'test' } as const;
      await db.insert(operations).values({ ...begun, id: operation, subject: `client:${id}`, input: {} });
    });
    after(() => system?.close());

    function step(key: string, over: Partial<StepContext> = {}): StepContext {
      seq += 1;
      return stepContext(operation, { subject: `client:${id}`, step: key, title: key, seq, ...over });
    }
    const restart = () => docker.startStopped(thing, step('stop', { phase: 'undo' }));

    /** As an operation does before it changes anything. */
    async function copyBeside(from = path): Promise<void> {
      await spare.makeSpare(thing, step('spare'));
      await docker.copyBeside({ ...thing, path: from }, step(`copy-${(seq += 1)}`));
    }

    /** As it does at its end; what comes next acts on the database that is then the client's. */
    async function settle(): Promise<void> {
      await spare.settleSpare(thing, step('spare', { phase: 'undo' }));
      const [row] = await system.database.db.select().from(clients).where(eq(clients.id, id));
      assert.ok(row?.names);
      assert.equal(row.names.database ?? row.names.name, await databaseNameOf(host, id));
      thing = { ...thing, names: row.names };
    }

    async function databases(): Promise<string[]> {
      const all = (await census(host)).databases.map(({ name }) => name);
      return all.filter((name) => [`client${id}`, `client${id}_b`].includes(name));
    }

    async function sql(statements: string, named?: string): Promise<void> {
      const database = named ?? (await databaseNameOf(host, id));
      const command =
        host.sqlEngine === 'mariadb'
          ? `mariadb ${database}`
          : `cd /; setpriv --reuid postgres --regid postgres --init-groups psql -h /run/postgresql -qXv ON_ERROR_STOP=1 ${database}`;
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

    it('is whole beside before anything changes, and the client is again what it was by it', async () => {
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
      await copyBeside();
      assert.deepEqual(await databases(), [`client${id}`, `client${id}_b`]);
      assert.deepEqual(await clientContents(host, id), before_);
      assert.deepEqual((await clientContents(host, id, `client${id}_b`)).database, before_.database);
      await changeEverything();
      assert.notDeepEqual(await clientContents(host, id), before_);
      await docker.bringBack({ ...thing, path }, step('one', { phase: 'undo' }));
      await settle();
      assert.deepEqual(await databases(), [`client${id}_b`]);
      assert.deepEqual(await clientContents(host, id), before_);
      assert.deepEqual(await clientContents(host, neighbour), other);
      if (host.sqlEngine === 'mariadb') {
        const { stdout } = await host.exec(`mariadb --batch --skip-column-names client${id}_b`, {
          input: HISTORY,
        });
        assert.equal(stdout.trim(), '4');
      }
      await restart();
      const page = await getPage({ address: host.address, hostname: await hostnameOf(system, id) });
      assert.equal(page.status, 200);
      await docker.stopContainers(thing, step('stop'));
      // what is in the other one by then is dropped, also where the directory has lost the word of it
      await host.exec(`rm /srv/docker/clients/client${id}/.slipway-database`);
      ({ path } = await docker.backupClient({ ...thing, keepDays: 1 }, step('backup', { try: 2 })));
      await copyBeside();
      await settle();
      assert.deepEqual(await databases(), [`client${id}_b`]);
    });

    it('says what of a dump was refused, and nothing of what stands there', async () => {
      const secret = 'a-secret-of-a-visitor';
      let broken = `${path}-broken`;
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
        ({ path: broken } = await docker.backupClient({ ...thing, keepDays: 1 }, step('backup', { try: 3 })));
      }
      await assert.rejects(copyBeside(broken), ({ message }: Error) => {
        const told =
          host.sqlEngine === 'mariadb'
            ? /ERROR 1062 \(23000\) at line \d+ of the dump: Dumping data for table `notes`/
            : /COPY failed for table "a_first"[^]*violates check constraint/;
        assert.match(message, told);
        assert.doesNotMatch(message, new RegExp(secret));
        return true;
      });
      if (host.sqlEngine === 'postgres')
        await sql('DROP TABLE a_first; DROP FUNCTION known; DROP TABLE z_last');
      await settle();
      assert.deepEqual(await clientContents(host, id), before_);
    });

    it('is refused with the name of whatever is not as it was', async () => {
      const maria = host.sqlEngine === 'mariadb';
      const differences: [change: string, back: string, named: RegExp][] = [
        ["UPDATE notes SET body = 'other' WHERE id = 1", '', /differs: table \S*notes/],
        ['CREATE TABLE later (a int)', 'DROP TABLE later', /only in the first: .*later/],
        [
          'CREATE VIEW seen AS SELECT id FROM notes',
          'DROP VIEW seen',
          maria ? /only in the first: .*seen/ : /only in the first: Name: seen; Type: VIEW/,
        ],
        [
          maria ? "ALTER TABLE notes COMMENT 'a'" : "COMMENT ON TABLE notes IS 'a'",
          maria ? "ALTER TABLE notes COMMENT ''" : 'COMMENT ON TABLE notes IS NULL',
          /(differs|only in the first): .*notes/,
        ],
        ["SELECT setval('numbers', 77777)", '', /differs: sequence numbers/],
        [
          maria
            ? `GRANT SELECT ON client${id}_b.notes TO client${neighbour}@'10.213.%'`
            : `GRANT SELECT ON notes TO client${neighbour}`,
          maria
            ? `DROP USER client${neighbour}@'10.213.%'`
            : `REVOKE SELECT ON notes FROM client${neighbour}`,
          maria ? /only in the first: right .*client\d+.*notes/ : /Name: TABLE notes; Type: ACL/,
        ],
        [
          maria
            ? `ALTER DATABASE client${id}_b COLLATE utf8mb4_german2_ci`
            : "ALTER TABLE notes ALTER body SET DEFAULT 'empty'",
          maria
            ? `ALTER DATABASE client${id}_b COLLATE utf8mb4_unicode_ci`
            : 'ALTER TABLE notes ALTER body DROP DEFAULT',
          maria ? /differs: option/ : /differs: Name: notes; Type: TABLE/,
        ],
        [
          maria
            ? `UPDATE prices SET cents = cents + 1`
            : `UPDATE files SET big = lo_from_bytea(0, 'other') WHERE id = 1`,
          '',
          maria ? /differs: table prices/ : /differs: large objects/,
        ],
      ];
      const refusals: string[] = [];
      for (const [change, back, named] of differences) {
        if (maria && change.startsWith('GRANT'))
          await sql(`CREATE USER client${neighbour}@'10.213.%' IDENTIFIED BY 'x'`);
        await sql(maria ? change.replace("setval('numbers',", 'setval(numbers,') : change);
        await assert.rejects(copyBeside(), ({ message }: Error) => {
          if (!named.test(message)) refusals.push(`${change}: ${message}`);
          return true;
        });
        if (back !== '') await sql(back);
      }
      assert.deepEqual(refusals, []);
      await settle();
      ({ path } = await docker.backupClient({ ...thing, keepDays: 1 }, step('backup', { try: 4 })));
      before_ = await clientContents(host, id);
    });

    it('puts database and uploads of a backup in the place of what is there', async () => {
      await changeEverything();
      await docker.restoreClient({ ...thing, path }, step('two'));
      const restored = await clientContents(host, id);
      assert.equal(restored.database, before_.database);
      const env = (contents: ClientContents) => contents.files.split('\n').at(-2);
      assert.notEqual(env(restored), env(before_));
      const uploads = ({ files }: ClientContents) =>
        files.split('\n').filter((line) => line.includes('public'));
      assert.deepEqual(uploads(restored), uploads(before_));
      // whose data they are now is not said: it stays off until what was there is back
      await assert.rejects(restart(), /not back from the backup/);
      await copyBeside();
      await docker.bringBack({ ...thing, path }, step('three', { phase: 'undo' }));
      await settle();
      assert.deepEqual(await clientContents(host, id), before_);
    });

    it('is really tried again as an undo that has failed', async () => {
      await copyBeside();
      await changeEverything();
      await host.exec(`mv ${path} ${path}-away`);
      const undo = (attempt: number) =>
        docker.bringBack({ ...thing, path }, step('undone', { phase: 'undo', attempt }));
      await assert.rejects(undo(1), /there is no backup/);
      await host.exec(`mv ${path}-away ${path}`);
      await undo(2);
      await settle();
      assert.deepEqual(await clientContents(host, id), before_);
    });

    it('ends alike when it is killed in the middle and tried again', async () => {
      // by the host itself, while the job is not over yet
      const killAt = (name: string, words: string) => {
        const key = jobKey({ operation, step: name, try: 1 });
        return host.exec(`for _ in $(seq 6000); do
dir=$(ls -d /srv/slipway/jobs/${key}* 2>/dev/null | sort -V | tail -n 1)
if grep -qs '${words}' "$dir/log"; then break; fi
sleep 0.01
done
grep -q '${words}' "$dir/log" && read -r leader rest < "$dir/pid" && kill -9 -- -$leader`);
      };
      const killed = async (name: string, words: string, act: (at: StepContext) => Promise<void>) => {
        const killing = killAt(name, words);
        await assert.rejects(act(step(name)), (error: Error) => kindOf(error) === 'Unavailable', words);
        await killing;
      };
      await spare.makeSpare(thing, step('spare'));
      const copy = (at: StepContext) => docker.copyBeside({ ...thing, path }, at);
      await killed('killed-copy', 'restoring database', copy);
      assert.deepEqual(await clientContents(host, id), before_);
      await copy(step('killed-copy', { attempt: 2 }));
      await changeEverything();
      const back = (at: StepContext) => docker.bringBack({ ...thing, path }, at);
      await killed('killed-back', 'restoring files', back);
      // half-way: it is not started meanwhile, and both databases stay
      await assert.rejects(restart(), /not back from the backup/);
      await assert.rejects(settle(), /not back from the backup/);
      assert.equal((await databases()).length, 2);
      await back(step('killed-back', { attempt: 2 }));
      await settle();
      assert.deepEqual(await clientContents(host, id), before_);
    });

    it('never touches a foreign directory or database, and nothing that runs', async () => {
      await copyBeside();
      await changeEverything();
      const changed = await clientContents(host, id);
      const acts = {
        restore: () => docker.restoreClient({ ...thing, path }, step(`refused-${(seq += 1)}`)),
        bringBack: () => docker.bringBack({ ...thing, path }, step(`refused-${(seq += 1)}`)),
        copy: () => docker.copyBeside({ ...thing, path }, step(`refused-${(seq += 1)}`)),
        spare: () => spare.makeSpare(thing, step(`refused-${(seq += 1)}`)),
      };
      const refused = async (names: (keyof typeof acts)[]) => {
        for (const name of names) {
          await assert.rejects(acts[name](), (error: Error) => kindOf(error) === 'Conflict', name);
          assert.deepEqual(await clientContents(host, id), changed);
        }
      };
      const directory = `/srv/docker/clients/client${id}/.slipway`;
      const own = (await host.exec(`cat ${directory}`)).stdout;
      await host.exec(`echo slipway:other > ${directory}`);
      await refused(['restore', 'bringBack']);
      await host.exec(`cat > ${directory}`, { input: own });
      const mark = async (database: string, text: string) =>
        sql(
          host.sqlEngine === 'mariadb'
            ? `ALTER DATABASE ${database} COMMENT '${text}'`
            : `RESET ROLE; COMMENT ON DATABASE ${database} IS '${text}'`,
        );
      const database = await databaseNameOf(host, id);
      const second = spareOf(thing.names);
      await mark(database, 'somebody else');
      await refused(['restore']);
      await mark(database, own.trim());
      await mark(second, 'somebody else');
      await refused(['copy', 'spare']);
      await mark(second, own.trim());
      // an earlier change was not taken back: what stands beside may be all that is whole
      await host.exec(`echo slipway:earlier > /srv/docker/clients/client${id}/.slipway-changing`);
      await refused(['spare']);
      await host.exec(`rm /srv/docker/clients/client${id}/.slipway-changing`);
      const elsewhere = docker.restoreClient({ ...thing, path: '/etc' }, step('elsewhere'));
      await assert.rejects(elsewhere, (error: Error) => kindOf(error) === 'InvalidInput');
      await docker.bringBack({ ...thing, path }, step('back', { phase: 'undo' }));
      await settle();
      await restart();
      const running = docker.restoreClient({ ...thing, path }, step('running'));
      await assert.rejects(running, /are running/);
      assert.equal(await stateOf(`client${id}`), 'running');
    });
  });
}
