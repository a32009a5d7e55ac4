import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gather } from '../../../activities/operation/gather.js';
import { KINDS, requireKind } from '../../../workflows/contract/kinds.js';
import * as workflows from '../../../workflows/index.js';

describe('the tables of kinds', () => {
  const rows = Object.entries(KINDS);

  it('give each kind a workflow of its own, which the bundle has', () => {
    const missing = rows.filter(([, { workflow }]) => !(workflow in workflows)).map(([kind]) => kind);
    assert.deepEqual(missing, []);
    assert.equal(new Set(rows.map(([, { workflow }]) => workflow)).size, rows.length);
  });

  it('name every workflow but sweeps and probes', () => {
    const known = new Set<string>(rows.map(([, { workflow }]) => workflow));
    const others = Object.keys(workflows).filter((name) => !known.has(name));
    assert.deepEqual(
      others.filter((name) => !name.startsWith('sweep')),
      ['probe'],
    );
  });

  it('call a row by its key', () => {
    for (const [kind, row] of rows) assert.equal(row.kind, kind);
    assert.equal(requireKind('create_client').workflow, 'createClient');
    assert.throws(() => requireKind('toString'), /no workflow runs/);
  });
});

describe('the activities of a wing', () => {
  it('are those of its parts', () => {
    const { one, two } = gather({ one: () => 1 }, { two: () => 2 });
    assert.deepEqual([one(), two()], [1, 2]);
  });

  it('have each name once, or do not compile', () => {
    // @ts-expect-error: `one` is given twice
    gather({ one: () => 1 }, { two: () => 2 }, { one: () => 3 });
  });
});
