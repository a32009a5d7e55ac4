import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { LabHost } from '../../../lab/host.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { census } from '../../support/census.js';
import { databaseNameOf, readClientDatabase } from '../../support/client-database.js';
import { clientContents } from '../../support/client-contents.js';
import { cutConnections } from '../../support/cut-connections.js';
import { noLab } from '../../support/lab.js';
import { startOwnHost } from '../../support/own-hosts.js';
import { REAL_DATABASE } from '../../support/real-database.js';
import { openSystem, operationOf, type System } from '../../support/system.js';

const NEW = '1.4-master';
/** Longer than any wait for a lock within a step, so that one has failed for it and was tried again. */
const LOCKED_S = 95;
const ENDED_MS = 240_000;

/** What happens to the host when a switch comes to a step; each one's migration fails in the end. */
const FAULTS = [
  'nothing else',
  'its tables are locked',
  'SSH is cut',
  'the SQL server is restarted',
] as const;
type Fault = (typeof FAULTS)[number];

describe('a client of which a change fails', { skip: noLab, concurrency: 2 }, () => {
  for (const [slot, sql] of [
    [140, 'mariadb'],
    [141, 'postgres'],
  ] as const) {
    describe(`a failed switch on ${sql} leaves its database whole at every moment`, { skip: noLab }, () => {
      let system: System;
      let host: LabHost;
      let serverId: number;
      /** by subject and step */
      const faults = new Map<string, () => Promise<unknown>>();

      before(async () => {
        host = await startOwnHost({ name: `whole${sql}`, sql, versions: ['1.3-master', NEW] });
        system = await openSystem({
          slot,
          inject: async (point, { subject, step, phase, attempt }: StepContext) => {
            if (point !== 'before' || phase !== 'do' || attempt > 1) return;
            await faults.get(`${subject} ${step}`)?.();
          },
        });
        serverId = await system.addServer(host);
      });
      after(async () => {
        await system?.close();
        await host?.stop();
      });

      const exec = (database: string, statements: string) =>
        readClientDatabase(host, 0, statements, database);

      /** A few tables of each kind, by the engine's own sums; undefined: not there, or not as a whole. */
      async function sumsOf(database: string): Promise<string | undefined> {
        const query =
          sql === 'mariadb'
            ? 'CHECKSUM TABLE notes, users, companies, contracts, invoices, files, parts'
            : ['notes', 'users', 'companies', 'contracts', 'invoices', 'files', 'parts']
                .map(
                  (table) =>
                    `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} AS t;`,
                )
                .join('\n');
        const rows = await exec(database, query).catch(() => undefined);
        const text = rows?.map((row) => row.at(-1)).join(' ');
        return text?.includes('NULL') === true ? undefined : text;
      }

      /** When the SQL server was started; undefined: it does not answer. */
      async function runsSince(): Promise<string | undefined> {
        const pid = sql === 'mariadb' ? '/run/mysqld/mysqld.pid' : '/run/postgresql/lab.pid';
        const { stdout } = await host.exec(`stat -c %y ${pid} 2>/dev/null || true`);
        const answered = await exec(sql === 'mariadb' ? 'mysql' : 'postgres', 'SELECT 1').catch(() => []);
        return answered.length > 0 && stdout !== '' ? stdout : undefined;
      }

      /** Looks until it is stopped; answers how often none of the client's databases was whole while the server answered. */
      function watchWhole(id: number, whole: string) {
        let stopped = false;
        let looks = 0;
        const gaps: string[] = [];
        const done = (async () => {
          while (!stopped) {
            const began = await runsSince();
            const sums = [await sumsOf(`client${id}`), await sumsOf(`client${id}_b`)];
            // what was asked across a restart says nothing
            if (began !== undefined && began === (await runsSince())) {
              looks += 1;
              if (!sums.includes(whole)) gaps.push(sums.join(' and '));
            }
            await delay(150);
          }
        })();
        return async () => {
          stopped = true;
          await done;
          return { looks, gaps };
        };
      }

      function meet(fault: Fault, id: number): void {
        const lock =
          sql === 'mariadb'
            ? `LOCK TABLES notes WRITE, companies WRITE; SELECT SLEEP(${LOCKED_S})`
            : `BEGIN; LOCK TABLE notes, companies; SELECT pg_sleep(${LOCKED_S})`;
        const service = sql === 'mariadb' ? 'mariadb' : 'postgres';
        const acts: Record<Fault, () => Promise<unknown>> = {
          'nothing else': () => Promise.resolve(),
          'its tables are locked': async () => {
            // held while the operation goes on
            void exec(await databaseNameOf(host, id), lock).catch(() => undefined);
          },
          'SSH is cut': async () => void setTimeout(() => void cutConnections(host, process.pid), 60),
          'the SQL server is restarted': async () =>
            void setTimeout(() => void host.exec(`lab-service restart ${service}`), 60),
        };
        for (const step of ['backup', 'copy', 'update']) {
          // one lock is enough: it lasts for all of them
          if (fault === 'its tables are locked' && step !== 'update') continue;
          faults.set(`client:${id} ${step}`, acts[fault]);
        }
      }

      async function check(fault: Fault): Promise<void> {
        const { id, operation } = await system.addClient(serverId);
        assert.match((await system.ended(operation)).state, /^succeeded/);
        const role = sql === 'mariadb' ? '' : `SET ROLE client${id};`;
        await exec(`client${id}`, `${role} INSERT INTO notes (body) VALUES ('kept'); ${REAL_DATABASE[sql]}`);
        await host.exec(
          `sed -i 's/^SAMPLE_FAIL=.*/SAMPLE_FAIL=migrate/' /srv/docker/clients/client${id}/.env`,
        );
        const before = await clientContents(host, id);
        const whole = await sumsOf(`client${id}`);
        assert.ok(whole);
        meet(fault, id);
        const watched = watchWhole(id, whole);
        const switched = operationOf(
          await system.call('GET', `/clients/${id}/switch/${NEW}?on_failure=rollback`),
        );
        const view = await system.until(switched, 'end', ({ endedAt }) => endedAt !== null, ENDED_MS);
        const { looks, gaps } = await watched();
        const { steps } = view;
        assert.equal(view.state, 'rolled_back', JSON.stringify(view));
        assert.deepEqual(view.leftovers, []);
        assert.ok(
          steps.some(({ key, state }) => key === 'copy' && state === 'done'),
          JSON.stringify(steps),
        );
        assert.deepEqual(gaps, []);
        assert.ok(looks > 3);
        assert.deepEqual(await clientContents(host, id), before);
        const left = (await census(host)).databases.map(({ name }) => name);
        assert.deepEqual(
          left.filter((name) => name.replace('_b', '') === `client${id}`),
          [await databaseNameOf(host, id)],
        );
      }

      // cutting and restarting meets everybody on the host, so the lock, which takes longest, runs beside them
      it('when nothing else happens, or its tables are locked, SSH is cut or the SQL server is restarted', async () => {
        const locked = check('its tables are locked');
        await check('nothing else');
        await check('SSH is cut');
        await locked;
        await check('the SQL server is restarted');
      });
    });
  }
});
