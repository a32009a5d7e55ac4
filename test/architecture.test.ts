import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { posix, relative } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Top-level folders: a newcomer finds each noun once. Those of later issues are named already. */
const FOLDERS = [
  ...['workflows', 'activities', 'api', 'worker', 'db', 'templates'],
  ...['start', 'agent', 'cli', 'lab', 'bench', 'test', 'docs'],
];
const NO_FOLDERS = /(^|\/)(utils?|shared|common|helpers?|src)\//;

/** Which parts each part may import from, beside itself. `workflows/contract` is everybody's. */
const MAY_IMPORT: Record<string, string[]> = {
  'workflows/contract': [],
  workflows: [],
  db: [],
  activities: ['db'],
  api: ['db'],
  worker: ['db', 'activities'],
  cli: [],
  agent: [],
  // runs Slipway as its user does: through the API, in a process of its own
  lab: ['start', 'db', 'activities'],
  // what `npm start` runs is a product, not a laboratory
  start: ['db', 'api', 'worker'],
};
/** What workflow code may take from outside: everything else is not known to be deterministic. */
const WORKFLOW_PACKAGES = ['@temporalio/workflow', '@temporalio/common'];
/** They look at everything on purpose. */
const UNBOUND = ['test', 'bench'];

interface Import {
  from: string;
  typeOnly: boolean;
}

describe('the architecture', () => {
  const files = sourceFiles();

  it('has every source file in one of its folders', () => {
    assert.deepEqual(
      files.filter((file) => file.includes('/') && !FOLDERS.includes(file.split('/')[0] ?? '')),
      [],
    );
    assert.deepEqual(
      files.filter((file) => NO_FOLDERS.test(file)),
      [],
    );
  });

  it('imports in one direction', () => {
    assert.deepEqual(
      files.flatMap((file) => importFaults(file, read(file))),
      [],
    );
  });

  it('reads the environment in config files only', () => {
    assert.deepEqual(
      files.flatMap((file) => environmentFaults(file, read(file))),
      [],
    );
  });

  it('makes shell scripts with the builder only', () => {
    assert.deepEqual(
      files.flatMap((file) => scriptFaults(file, read(file))),
      [],
    );
  });

  it('would notice a wrong import', () => {
    const faults = (file: string, text: string) => importFaults(file, text).length;
    assert.equal(faults('api/app.ts', "import { x } from '../worker/main.js';"), 1);
    assert.equal(faults('worker/main.ts', "export { x } from '../api/app.js';"), 1);
    assert.equal(faults('api/app.ts', "const x = await import('../activities/ssh/ssh.js');"), 1);
    assert.equal(faults('db/database.ts', "import '../start/services/postgres.js';"), 1);
    assert.equal(
      faults('activities/sql/x.ts', "import { step } from '../../workflows/operation/run.js';"),
      1,
    );
    assert.equal(faults('workflows/a.ts', "import { x } from '../activities/sql/activities.js';"), 1);
    assert.equal(faults('workflows/a.ts', "import type { X } from '../activities/sql/activities.js';"), 0);
    assert.equal(faults('workflows/a.ts', "import {\n  x,\n} from 'node:fs';"), 1);
    assert.equal(faults('workflows/contract/a.ts', "import { x } from '../operation/run.js';"), 1);
    assert.equal(faults('api/app.ts', "import { x } from '../workflows/contract/ids.js';"), 0);
    assert.equal(faults('start/main.ts', "import { x } from '../lab/host.js';"), 1);
  });

  it('would notice a read of the environment and a script by cast', () => {
    assert.equal(environmentFaults('api/app.ts', "const x = process.env['X'];").length, 1);
    assert.equal(environmentFaults('api/main.ts', "const x = process.env['X'];").length, 1);
    assert.equal(environmentFaults('api/main.ts', 'readConfig(process.env);').length, 0);
    assert.equal(scriptFaults('activities/docker/x.ts', "const x = 'rm' as Script;").length, 1);
  });
});

function importFaults(file: string, text: string): string[] {
  const part = partOf(file);
  if (UNBOUND.includes(part)) return [];
  const isWorkflow = part === 'workflows' || part === 'workflows/contract';
  return importsOf(text)
    .filter(({ from, typeOnly }) => {
      if (!from.startsWith('.')) return isWorkflow && !typeOnly && !WORKFLOW_PACKAGES.includes(from);
      const target = partOf(posix.join(posix.dirname(file), from));
      if (target === part || target === 'workflows/contract') return false;
      if (part === 'workflows' && target === 'activities') return !typeOnly;
      return !(MAY_IMPORT[part] ?? []).includes(target);
    })
    .map(({ from }) => `${file} imports ${from}`);
}

function environmentFaults(file: string, text: string): string[] {
  const [folder = ''] = file.split('/');
  if ([...UNBOUND, 'lab'].includes(folder) || posix.basename(file) === 'config.ts') return [];
  // entry points hand it to the config of their process, whole
  const rest = text.replaceAll(/\((process\.env)\)/g, '()');
  return rest.includes('process.env') ? [`${file} reads process.env`] : [];
}

function scriptFaults(file: string, text: string): string[] {
  if (file.startsWith('activities/ssh/') || file === 'test/architecture.test.ts') return [];
  return /\bas Script\b/.test(text) ? [`${file} makes a Script by a cast`] : [];
}

/** `workflows/contract`, another folder, or the name of a file beside them. */
function partOf(file: string): string {
  const [folder = '', second] = file.split('/');
  return folder === 'workflows' && second === 'contract' ? 'workflows/contract' : folder;
}

function importsOf(text: string): Import[] {
  const statements = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
  const calls = /\bimport\(\s*'([^']+)'/g;
  return [
    ...[...text.matchAll(statements)].map(([, type, from = '']) => ({ from, typeOnly: type !== undefined })),
    ...[...text.matchAll(calls)].map(([, from = '']) => ({ from, typeOnly: false })),
  ];
}

function sourceFiles(): string[] {
  const skipped = /(^|\/)(node_modules|dist|\.slipway|\.git)(\/|$)/;
  return readdirSync(ROOT, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, posix.join(entry.parentPath, entry.name)))
    .filter((file) => !skipped.test(file));
}

function read(file: string): string {
  return readFileSync(posix.join(ROOT, file), 'utf8');
}
