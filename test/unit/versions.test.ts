import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareVersions, nextVersion, VERSION } from '../../workflows/contract/versions.js';

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

  it('is compared by its numbers', () => {
    const sorted = ['latest', '1-dev', '1.2-master', '1.10-dev', '1.10.1-master', '2-dev'];
    assert.deepEqual([...sorted].reverse().sort(compareVersions), sorted);
    assert.equal(compareVersions('1.3-dev', '1.3.0-master'), 0);
  });

  it('is followed by the next minor of the newest, whatever its branch', () => {
    assert.equal(nextVersion(['1.3-master', '1.10.4-dev', 'latest'], 'master'), '1.11-master');
    assert.equal(nextVersion(['2-master', '1.99-dev'], 'dev'), '2.1-dev');
    assert.equal(nextVersion(['latest'], 'dev'), '1.0-dev');
  });
});
