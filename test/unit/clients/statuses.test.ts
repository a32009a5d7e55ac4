import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  CLIENT_STATUS_TRAITS,
  isPresent,
  statusesWith,
  statusesWithout,
} from '../../../workflows/contract/clients/statuses.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TABLE = 'workflows/contract/clients/statuses.ts';
const STATUSES = Object.keys(CLIENT_STATUS_TRAITS);
const LISTED = /\[([^\][]*)\]|\bin \(([^)]*)\)/g;

/** Lists of statuses, in TypeScript or SQL, that stand in a text. */
function listsIn(text: string): string[] {
  return [...text.matchAll(LISTED)].flatMap(([list, items, inSql]) => {
    const named = [...(items ?? inSql ?? '').matchAll(/'(\w+)'/g)].map(([, name = '']) => name);
    return named.length > 1 && named.every((name) => STATUSES.includes(name)) ? [list] : [];
  });
}

describe('statuses of clients', () => {
  it('are asked for by their traits', () => {
    assert.deepEqual(statusesWith('present'), ['active', 'maintenance', 'expired']);
    assert.deepEqual(statusesWith('watched'), ['active', 'maintenance', 'expired', 'moving']);
    assert.deepEqual(statusesWithout('named'), ['failed', 'deleted']);
    assert.deepEqual(statusesWithout('listed'), ['deleted']);
    assert.deepEqual([isPresent('expired'), isPresent('moving')], [true, false]);
  });

  it('stand in one list', () => {
    const folders = ['workflows', 'activities', 'api', 'db', 'worker', 'start', 'lab', 'bench'];
    const files = folders.flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => join(folder, file)),
    );
    const lists = files
      .filter((file) => file !== TABLE)
      .flatMap((file) => listsIn(readFileSync(join(ROOT, file), 'utf8')).map((list) => `${file}: ${list}`));
    // one row's rule, not a group of statuses
    assert.deepEqual(lists, [
      "activities/clients/records/client-records.ts: ['creating', 'failed']",
      "api/clients/verb-routes.ts: ['active', 'maintenance']",
    ]);
  });

  it('would be noticed in another one', () => {
    assert.equal(listsIn("inArray(clients.status, ['active', 'maintenance'])").length, 1);
    assert.equal(listsIn("status not in ('failed', 'deleted')").length, 1);
    assert.equal(listsIn("state in ('failed', 'sent')").length, 0);
  });
});
