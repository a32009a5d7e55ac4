import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dockerFailure } from '../../../activities/docker/docker-errors.js';
import { networksOverlap } from '../../../activities/docker/networks.js';
import { splitImage } from '../../../workflows/contract/clients/versions.js';
import { fileServing } from '../../../activities/nginx/server-names.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';

const table: [string, string][] = [
  [
    'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
    'Unavailable',
  ],
  ['error during connect: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/": EOF', 'Unavailable'],
  ['dial unix /var/run/docker.sock: connect: no such file or directory', 'Unavailable'],
  ['Got permission denied while trying to connect to the Docker daemon socket', 'Unauthorized'],
  ['sudo: a password is required', 'Unauthorized'],
  ['toomanyrequests: You have reached your pull rate limit', 'RateLimited'],
  [
    'Get "https://registry.example.test/v2/": dial tcp 10.0.0.9:443: connect: connection refused',
    'Unavailable',
  ],
  ['received unexpected HTTP status: 503 Service Unavailable', 'Unavailable'],
  ['dial tcp 10.0.0.9:3306: connect: connection refused', 'CommandFailed'],
  [
    'failed to get digest sha256:c284098144eb: open /var/lib/docker/image/overlay2/imagedb/content/sha256/c284098144eb: no such file or directory',
    'Unavailable',
  ],
  ['Bind for 127.0.0.1:20001 failed: port is already allocated', 'Conflict'],
  ['listen tcp4 127.0.0.1:20001: bind: address already in use', 'Conflict'],
  ['Pool overlaps with other one on this address space', 'Conflict'],
  ['The container name "/client1" is already in use by container "abc"', 'Conflict'],
  ['Error response from daemon: No such image: x:1', 'CommandFailed'],
  ['write /srv/x: no space left on device', 'CapacityExceeded'],
  ['SQLSTATE[HY000] [2002] Connection refused', 'CommandFailed'],
  ['', 'CommandFailed'],
];
for (const [output, kind] of table) {
  test(`${kind} for: ${output}`, () => {
    const failure = dockerFailure({ what: 'docker on web-1', exitCode: 1, output });
    assert.equal(kindOf(failure), kind);
    assert.match(failure.message, /^docker on web-1/);
  });
}

test('networks overlap when one holds the other', () => {
  assert.ok(networksOverlap('10.213.0.0/24', '10.213.0.16/28'));
  assert.ok(networksOverlap('10.213.0.16/28', '10.213.0.0/24'));
  assert.ok(!networksOverlap('10.213.0.0/28', '10.213.0.16/28'));
  assert.ok(!networksOverlap('fd00::/64', '10.213.0.16/28'));
});

test('a tag begins behind the last slash', () => {
  assert.deepEqual(splitImage('registry.test:5000/a/b:1.3-master'), ['registry.test:5000/a/b', '1.3-master']);
  assert.deepEqual(splitImage('registry.test:5000/a/b'), ['registry.test:5000/a/b', '']);
});

test('a server name is found whole, in another file, whatever stands beside it', () => {
  const lines = [
    'server|/etc/nginx/conf.d/a.conf| "acme.test"',
    'server|/etc/nginx/conf.d/b.conf|  x.test\tWWW.acme.test ',
    'nginx|acme.test',
  ];
  assert.equal(fileServing('acme.test', { lines, ownFile: '/etc/nginx/conf.d/a.conf' }), undefined);
  assert.equal(fileServing('acme.test', { lines, ownFile: 'other' }), '/etc/nginx/conf.d/a.conf');
  assert.equal(fileServing('www.acme.test', { lines, ownFile: 'other' }), '/etc/nginx/conf.d/b.conf');
  assert.equal(fileServing('me.test', { lines, ownFile: 'other' }), undefined);
});
