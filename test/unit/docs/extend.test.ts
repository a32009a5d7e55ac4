import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/extend.md'), 'utf8');
/** Whatever speaks of the example, in code or of it. */
const SPEAKS = /\b(?:pause|resume)(?:_client|Client|-client)\b|'paused'|\bpaused: \{$/m;
const PRODUCTION = ['workflows', 'activities', 'api', 'db', 'worker', 'templates'];
/** As the page promises: more would mean that the core is wrong. */
const MOST = 5;

/** Files in the first column of the example's table. */
function namedFiles(): string[] {
  const example = PAGE.slice(PAGE.indexOf('### For example'), PAGE.indexOf('What is forgotten'));
  return example
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, file = '']) => file));
}

function speakingFiles(): string[] {
  return PRODUCTION.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => SPEAKS.test(readFileSync(file, 'utf8')))
      .map((file) => file.slice(ROOT.length)),
  );
}

describe('the worked example of docs/extend.md', () => {
  it('names every production file that speaks of it, and no other', () => {
    const production = namedFiles().filter((file) => PRODUCTION.includes(file.split('/')[0] ?? ''));
    assert.deepEqual(production.sort(), speakingFiles().sort());
    assert.ok(production.length <= MOST, `${production.length} files`);
  });

  it('names tests that speak of it', () => {
    const tests = namedFiles().filter((file) => file.startsWith('test/'));
    assert.ok(tests.length >= 5);
    for (const file of tests) assert.match(readFileSync(join(ROOT, file), 'utf8'), /\bpause|\bresume/, file);
  });
});
