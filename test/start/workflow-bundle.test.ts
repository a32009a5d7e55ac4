import assert from 'node:assert/strict';
import { appendFile, cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { keptBundle } from '../../start/workflow-bundle.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let root: string;
let dir: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-bundle-'));
  dir = join(root, 'kept');
  for (const name of ['workflows', 'package.json', 'package-lock.json', 'tsconfig.json']) {
    await cp(join(ROOT, name), join(root, name), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
});
after(() => rm(root, { recursive: true, force: true }));

it('is taken from an earlier start while the workflows are the same, and made anew for each change', async () => {
  const { code } = await keptBundle(dir, root);
  assert.match(code, /createClient/);
  const [name = ''] = await readdir(dir);
  await appendFile(join(dir, name), '// from the file');
  assert.equal((await keptBundle(dir, root)).code, `${code}// from the file`);

  const changes = {
    'a changed file': () => appendFile(join(root, 'workflows/index.ts'), '\nexport const added = 1;\n'),
    'a new file': () => writeFile(join(root, 'workflows/contract/added.ts'), 'export const x = 1;\n'),
    'other packages': () => appendFile(join(root, 'package-lock.json'), '\n'),
  };
  for (const [what, change] of Object.entries(changes)) {
    await change();
    assert.doesNotMatch((await keptBundle(dir, root)).code, /from the file/, what);
    const kept = await readdir(dir);
    assert.equal(kept.length, 1, what);
    await appendFile(join(dir, kept[0] ?? ''), '// from the file');
  }
});
