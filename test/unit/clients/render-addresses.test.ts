import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { canonicalNetwork } from '../../../activities/nginx/addresses.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';

const CANONICAL: [string, string][] = [
  ['10.0.0.7', '10.0.0.7'],
  [' 10.0.0.7 ', '10.0.0.7'],
  ['10.0.0.7/32', '10.0.0.7'],
  ['10.0.0.7/24', '10.0.0.0/24'],
  ['10.213.0.31/28', '10.213.0.16/28'],
  ['255.255.255.255/9', '255.128.0.0/9'],
  ['1.2.3.4/0', '0.0.0.0/0'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['2001:db8::1/128', '2001:db8::1'],
  ['2001:db8:ffff::1/33', '2001:db8:8000::/33'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3/120', '10.1.2.0/24'],
  ['::/0', '::/0'],
];
for (const [given, wanted] of CANONICAL) {
  test(`${given} is written as ${wanted}`, () => assert.equal(canonicalNetwork(given), wanted));
}

test('what only some readers take for an address is refused', () => {
  const refused = [
    '',
    'all',
    '010.0.0.1',
    '0x7f.0.0.1',
    '127.1',
    '2130706433',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
  ];
  refused.push(
    '10.0.0.0/24/8',
    '10.0.0.0/',
    '10.0.0.0 /24 ',
    'fe80::1%eth0',
    '2001:db8::/129',
    '10.0.0.1;',
    'unix:',
    '10.0.0.1\n deny all',
  );
  for (const text of refused) {
    assert.throws(
      () => canonicalNetwork(text),
      (error) => kindOf(error) === 'InvalidInput',
      JSON.stringify(text),
    );
  }
});

test('the canonical form of a canonical form is itself', () => {
  const network = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(
    fc.property(network, ([address, bits]) => {
      const once = canonicalNetwork(`${address}/${bits}`);
      assert.equal(canonicalNetwork(once), once);
    }),
    { numRuns: 500 },
  );
});
