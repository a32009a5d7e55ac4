import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { DeterminismViolationError } from '@temporalio/workflow';
import * as workflows from '../../workflows/index.js';
import { readHistory } from './histories.js';
import { historyName, PATHS } from './paths.js';
import { asType, bundleForReplay, replay } from './replay.js';

/** No operations: a few activities, ended by a timeout; one that a new version cannot go on with is followed by another. */
const NOT_RECORDED = [
  ...['probe', 'sweepAvailability', 'sweepExpiry', 'sweepNightly', 'sweepOperations', 'sweepUsers'],
];

/** As `historyName` calls them. */
async function recordedFiles(): Promise<string[]> {
  const entries = await readdir(new URL('.', import.meta.url), { recursive: true });
  return entries
    .filter((entry) => entry.endsWith('.json'))
    .map((entry) => entry.replace('/histories/', '/').replace(/\.json$/, ''));
}

describe('recorded histories', () => {
  let bundle: { code: string };
  before(async () => {
    bundle = await bundleForReplay();
  });

  for (const name of PATHS.map(historyName)) {
    it(`${name} takes the same way with the present code, and schedules the same inputs`, async () => {
      const { recorded, present } = await replay(bundle, await readHistory(name));
      assert.ok(recorded.length > 2);
      assert.deepEqual(present, recorded);
    });
  }

  it('cover every workflow type and every recorded path, and nothing else lies there', async () => {
    const files = await recordedFiles();
    assert.deepEqual(files.sort(), PATHS.map(historyName).sort());
    const types = new Set(PATHS.map(({ workflow }) => workflow));
    const missing = Object.keys(workflows).filter((type) => !types.has(type) && !NOT_RECORDED.includes(type));
    assert.deepEqual(missing, []);
  });

  it('notice an additional step', async () => {
    const history = await readHistory('clients/setAdminPassword.success');
    await assert.rejects(replay(bundle, asType(history, 'withExtraStep')), DeterminismViolationError);
  });

  it('notice a changed argument, which replay alone does not', async () => {
    const history = await readHistory('clients/setAdminPassword.success');
    const { present, recorded } = await replay(bundle, asType(history, 'withChangedArgument'));
    const changed = present.filter((scheduled, index) => !isDeepStrictEqual(scheduled, recorded[index]));
    assert.ok(changed.some(({ id }) => id === 'password/1'));
    assert.ok(changed.length < present.length);
  });
});
