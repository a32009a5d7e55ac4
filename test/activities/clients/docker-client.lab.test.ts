import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { type Census, census, traces } from '../../support/census.js';
import {
  addClient,
  createWhole,
  type LabClient,
  type LabKind,
  type LabWorld,
  startLabWorld,
  undoWhole,
} from './lab-client.js';

/** Job directories stay until the operation closes, which is not an activity's business. */
function withoutJobs(seen: Census): Omit<Census, 'jobDirectories'> {
  const { jobDirectories, ...rest } = seen;
  assert.ok(Array.isArray(jobDirectories));
  return rest;
}

const kinds: LabKind[] = [
  { sql: 'mariadb', compose: 'v2' },
  { sql: 'postgres', compose: 'v1' },
  { sql: 'mariadb', compose: 'v2', sudo: true },
  { sql: 'mariadb', compose: 'v1', sudo: true },
];

for (const kind of kinds) {
  describe(`a client on a host with ${kind.sql} and compose ${kind.compose}${kind.sudo === true ? ' through sudo' : ''}`, {
    concurrency: false,
  }, () => {
    let lab: LabWorld;
    let empty: Census;
    let client: LabClient;
    const lookUp = () => census(lab.host);

    before(async () => {
      lab = await startLabWorld(kind);
      empty = await lookUp();
      client = addClient(lab, 7);
    });
    after(() => lab?.stop());

    test('is made step by step and answers visitors', async () => {
      const began = performance.now();
      await createWhole(lab, client);
      console.error(`create: ${Math.round(performance.now() - began)} ms`);
      const answer = await lab.host.exec(
        `bash -c 'exec 3<>/dev/tcp/127.0.0.1/80; printf "GET / HTTP/1.0\\r\\nHost: acme7.example.test\\r\\n\\r\\n" >&3; cat <&3'`,
      );
      assert.match(answer.stdout, /HTTP\/1.1 200[\s\S]*Acme &#34;Lab&#34;/);
      const users = await lab.product.countUsers(client.thing, client.step('count'));
      assert.equal(users, 1);
    });

    test('can be made again without a second of anything', async () => {
      const before2 = withoutJobs(await lookUp());
      const again = { ...client, step: (key: string, over = {}) => client.step(`${key}-again`, over) };
      await createWhole(lab, again);
      assert.deepEqual(withoutJobs(await lookUp()), before2);
    });

    test('is gone without a trace after its undos, which succeed again on nothing', async () => {
      await undoWhole(lab, client);
      const left = await lookUp();
      assert.deepEqual(traces(left, 'client7'), []);
      assert.deepEqual(withoutJobs(left), withoutJobs(empty));
      await undoWhole(lab, client);
    });

    test("of another operation is named as a conflict and survives a stranger's undos", async () => {
      const owner = addClient(lab, 8);
      await createWhole(lab, owner);
      const made = withoutJobs(await lookUp());
      const stranger = addClient(lab, 8);
      await assert.rejects(lab.docker.surveyHost(stranger.thing, stranger.step('check')), (error: Error) => {
        assert.equal(kindOf(error), 'Conflict');
        for (const what of ['directory', 'vhost', 'container client8', 'network client8_default'])
          assert.match(error.message, new RegExp(what));
        return true;
      });
      await assert.rejects(
        lab.docker.writeClientFiles(stranger.thing, stranger.step('files')),
        (error: Error) => kindOf(error) === 'Conflict',
      );
      await assert.rejects(
        lab.nginx.publishVhost({ ...stranger.thing, variant: 'live' }, stranger.step('vhost')),
        (error: Error) => kindOf(error) === 'Conflict',
      );
      await undoWhole(lab, stranger);
      assert.deepEqual(withoutJobs(await lookUp()), made);
      const remover = addClient(lab, 8);
      await undoWhole(lab, { ...remover, thing: owner.thing });
      assert.deepEqual(traces(await lookUp(), 'client8'), []);
    });
  });
}
