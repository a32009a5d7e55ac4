import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rehearsalEnv } from '../../../activities/clients/rehearsal/activities.js';
import { chooseFrom, type Room } from '../../../activities/clients/rehearsal/choice.js';
import { rehearsalNetworks } from '../../../activities/clients/rehearsal/network.js';
import { loadProfile } from '../../../activities/clients/product/profile.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { spareOf } from '../../../workflows/contract/clients/databases.js';

const GB = 2 ** 30;
const ROOM: Room = {
  wanted: 'migrate',
  migrates: true,
  sizeBytes: 10 * GB,
  freeBytes: 30 * GB,
  networks: 64,
  unreached: '',
};

describe('how much of a change is rehearsed', () => {
  for (const [what, over, mode, because] of [
    ['the migration where there is room', {}, 'migrate', /room/],
    ['the migration where nobody says what is free', { freeBytes: undefined }, 'migrate', /room/],
    ['what is asked for', { wanted: 'restore' }, 'restore', /asked/],
    ['nothing where it is asked for', { wanted: 'off' }, 'off', /asked/],
    ['nothing without migrations', { migrates: false }, 'off', /no migration runs/],
    ['no migration of a large database', { sizeBytes: 21 * GB, freeBytes: 900 * GB }, 'restore', /more than/],
    ['no migration without room for it', { freeBytes: 29 * GB }, 'restore', /3 times/],
    ['no migration in a pool for one client', { networks: 0 }, 'restore', /too small/],
    [
      'no migration where its SQL server is not reached',
      { unreached: 'it is away' },
      'restore',
      /it is away/,
    ],
  ] as const) {
    it(what, () => {
      const { freeBytes, ...rest } = { ...ROOM, ...over };
      const chosen = chooseFrom({ ...rest, ...(freeBytes === undefined ? {} : { freeBytes }) });
      assert.equal(chosen.mode, mode);
      assert.match(chosen.because, because);
    });
  }

  for (const wanted of ['migrate', 'restore', 'off'] as const) {
    it(`nothing is begun without room for the copy that a change needs, with ${wanted}`, () => {
      assert.throws(
        () => chooseFrom({ ...ROOM, wanted, freeBytes: 9 * GB }),
        (error) => kindOf(error) === 'CapacityExceeded',
      );
    });
  }
});

describe('where a rehearsal takes place', () => {
  it('networks are those that clients get last, without the one of check_host', () => {
    const networks = rehearsalNetworks('10.213.0.0/16', 7);
    assert.equal(new Set(networks).size, 64);
    assert.ok(networks.every((network) => network.startsWith('10.213.25')));
    assert.ok(!networks.includes('10.213.255.240/28'));
    assert.ok(networks.includes('10.213.255.224/28'));
    assert.notEqual(networks[0], rehearsalNetworks('10.213.0.0/16', 8)[0]);
  });

  it('a pool for one client has none', () => {
    assert.deepEqual(rehearsalNetworks('10.213.0.0/28', 7), []);
    assert.deepEqual(rehearsalNetworks('10.213.0.0/27', 7), ['10.213.0.0/28']);
  });

  it("its .env names the copy, where it is reached, and sends nothing; the rest is the client's own", () => {
    const profile = loadProfile('sample');
    const current = [
      '# own',
      'DB_HOST=192.0.2.7',
      'DB_DATABASE=client42',
      'MAIL_KEY=secret',
      'OTHER=kept',
      '',
    ].join('\n');
    const env = rehearsalEnv(profile, {
      database: spareOf({ name: 'client42' }),
      current,
      gateway: '10.213.255.1',
    });
    assert.equal(
      env,
      current
        .replace('192.0.2.7', '10.213.255.1')
        .replace('client42', 'client42_b')
        .replace('MAIL_KEY=secret', 'MAIL_KEY=""'),
    );
  });
});
