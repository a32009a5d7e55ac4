import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseStock, prunable } from '../../../activities/servers/prune.js';

const EARLY = '2026-01-01T00:00:00Z';
const LATE = '2026-02-01T00:00:00Z';

function image(tag: string, createdAt = EARLY, branch: string | null = tag.split('-').at(-1) ?? null) {
  return { tag, id: `sha256:${tag}`, sizeBytes: 1, createdAt, branch, commit: null };
}

const choose = (tags: ReturnType<typeof image>[], needed: { used?: string[]; named?: string[] } = {}) =>
  prunable({ image: 'app', images: tags, used: [], named: [], ...needed });

describe('what prune removes', () => {
  const old = [image('1.0-master'), image('1.1-master'), image('1.2-master'), image('1.10-master')];

  it('is none of the newest two of each branch: by time, then by number', () => {
    assert.deepEqual(choose(old).sort(), ['app:1.0-master', 'app:1.1-master']);
    assert.deepEqual(choose([...old, image('0.9-dev'), image('1.0-dev')]).length, 2);
    assert.deepEqual(choose([...old, image('0.1-master', LATE)]).sort(), [
      'app:1.0-master',
      'app:1.1-master',
      'app:1.2-master',
    ]);
  });

  it('takes the branch from the name where an image says nothing of it', () => {
    assert.deepEqual(choose([image('1.0-dev', EARLY, null), ...old.slice(2)]), []);
  });

  it('is nothing that a container has by id or name, or a record names by tag or reference', () => {
    assert.deepEqual(choose(old, { used: ['sha256:1.0-master'], named: ['1.1-master'] }), []);
    assert.deepEqual(choose(old, { used: ['app:1.0-master'], named: ['app:1.1-master'] }), []);
    assert.deepEqual(choose(old, { named: ['1.0', 'other:1.0-master', ''] }).length, 2);
  });
});

describe('what Docker keeps', () => {
  it('is read with its units; layers without a name are no versions', () => {
    const text =
      'tag|1.3-dev\ntag|<none>\nsize|Images|1.234GB\nsize|Containers|5GB\nsize|Build Cache|12.5kB\nsize|Local Volumes|7B\n';
    assert.deepEqual(parseStock(text, 'app'), { tags: ['app:1.3-dev'], bytes: 1_234_012_500 });
    assert.deepEqual(parseStock('size|Images|0B\n', 'app'), { tags: [], bytes: 0 });
  });
});
