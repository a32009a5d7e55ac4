import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  compareVersions,
  nextVersion,
  splitImage,
  VERSION,
} from '../../../workflows/contract/clients/versions.js';

describe('version tags', () => {
  it('are ordered by their numbers, then by what follows them', () => {
    const ordered = [
      ...['', 'edge', 'latest'],
      ...[
        '0.9-master',
        '1',
        '1.2-master',
        '1.3',
        '1.3-dev',
        '1.3-master',
        '1.3.1-dev',
        '1.4-dev',
        '1.10-dev',
      ],
      ...['2-master', '20310131', '99999999999999999999-a', '99999999999999999999-b'],
    ];
    for (const [i, one] of ordered.entries()) {
      for (const [j, other] of ordered.entries()) {
        const expected = Math.sign(i - j);
        assert.equal(Math.sign(compareVersions(one, other)), expected, `${one} and ${other}`);
      }
    }
  });

  it('are the same with a leading v, and with zeros at their end', () => {
    for (const [one, other] of [
      ['v1.3-master', '1.3-master'],
      ['1.3.0-master', '1.3-master'],
      ['1', '1.0.0'],
    ] as const)
      assert.equal(compareVersions(one, other), 0, `${one} and ${other}`);
  });

  it('stand behind the last colon of an image that no slash follows', () => {
    assert.deepEqual(splitImage('registry.test:5000/a/b:1.3-master'), [
      'registry.test:5000/a/b',
      '1.3-master',
    ]);
    assert.deepEqual(splitImage('registry.test:5000/a/b'), ['registry.test:5000/a/b', '']);
  });
});

describe('a version', () => {
  it('is numbers and words that are safe as a tag', () => {
    for (const version of ['1', '1.3', '1.3-master', '1.3.1-rc1-dev', '10.20.30.40-dev'])
      assert.match(version, VERSION);
    for (const version of [
      '',
      'auto',
      'v1.3',
      '1.',
      '1.3-',
      '1.3-Master',
      '-1',
      '1.3 ',
      '1.3/x',
      '1.2.3.4.5',
      `1.${'0'.repeat(7)}`,
    ])
      assert.doesNotMatch(version, VERSION);
  });

  it('is followed by the next minor of the newest, whatever its branch', () => {
    assert.equal(nextVersion(['1.3-master', '1.10.4-dev', 'latest'], 'master'), '1.11-master');
    assert.equal(nextVersion(['2-master', '1.99-dev'], 'dev'), '2.1-dev');
    assert.equal(nextVersion(['latest'], 'dev'), '1.0-dev');
  });
});
