import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { posix, relative } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Top-level folders: a newcomer finds each noun once. Those of later issues are named already. */
const FOLDERS = [
  ...['workflows', 'activities', 'api', 'worker', 'db', 'process', 'templates'],
  ...['start', 'agent', 'cli', 'lab', 'bench', 'test', 'docs'],
];
const NO_FOLDERS = /(^|\/)(utils?|shared|common|helpers?|src)\//;

/**
 * Which parts each part may import from, beside itself and what lies in it. A part is a layer, or a wing of one.
 * `workflows/contract` is everybody's, in its own direction: the engine's, then clients', then servers'.
 */
const MAY_IMPORT: Record<string, string[]> = {
  process: [],
  db: [],
  // what puts the wings' tables together
  'workflows/contract': [
    'workflows/contract/operation',
    'workflows/contract/clients',
    'workflows/contract/servers',
  ],
  'workflows/contract/operation': [],
  'workflows/contract/clients': ['workflows/contract/operation'],
  'workflows/contract/servers': ['workflows/contract/operation', 'workflows/contract/clients'],
  // the bundle's entry
  workflows: ['workflows/operation', 'workflows/clients', 'workflows/fleet', 'workflows/servers'].concat(
    'workflows/schedules',
  ),
  'workflows/operation': [],
  'workflows/clients': ['workflows/operation'],
  'workflows/fleet': ['workflows/operation'],
  'workflows/servers': ['workflows/operation', 'workflows/clients', 'workflows/fleet'],
  'workflows/schedules': ['workflows/operation'],
  // protocols know no client
  'activities/ssh': [],
  'activities/templates': [],
  'activities/docker': ['activities/ssh'],
  'activities/git': ['activities/ssh'],
  'activities/hosts': ['db', 'activities/ssh', 'activities/docker'],
  'activities/sql': ['db', 'activities/hosts'],
  'activities/nginx': ['activities/ssh', 'activities/hosts', 'activities/templates'],
  'activities/mail': ['activities/templates'],
  'activities/operation': ['db', 'activities/hosts', 'activities/mail'],
  'activities/clients': ['db', ...protocols(), 'activities/operation'],
  'activities/servers': ['db', ...protocols(), 'activities/operation', 'activities/clients'],
  'api/http': ['db'],
  'api/operations': ['db', 'api/http'],
  'api/clients': ['db', 'api/http', 'api/operations'],
  'api/servers': ['db', 'api/http', 'api/operations', 'api/clients'],
  'api/access': ['db', 'api/http', 'api/operations'],
  // its composition root
  api: ['process', 'db', 'api/http', 'api/operations', 'api/clients', 'api/servers', 'api/access'],
  worker: ['process', 'db', 'workflows', 'activities'],
  cli: [],
  agent: [],
  // what `npm start` runs is a product, not a laboratory
  start: ['process', 'db', 'api', 'worker'],
  // runs Slipway as its user does: through the API, in a process of its own
  lab: ['process', 'start', 'db', 'activities'],
};
/** The wings whose activities the workflows of a folder name, by their types alone. */
const NAMES_ACTIVITIES: Record<string, string[]> = {
  'workflows/operation': ['operation', 'servers'],
  'workflows/clients': ['clients', 'servers'],
  'workflows/fleet': ['servers'],
  'workflows/servers': ['servers'],
  'workflows/schedules': ['operation', 'clients', 'servers'],
};
function protocols(): string[] {
  return ['ssh', 'docker', 'hosts', 'templates', 'git', 'sql', 'nginx', 'mail'].map(
    (name) => `activities/${name}`,
  );
}
/** What workflow code may take from outside: everything else is not known to be deterministic. */
const WORKFLOW_PACKAGES = ['@temporalio/workflow', '@temporalio/common'];
/** They look at everything on purpose. */
const UNBOUND = ['test', 'bench'];

/** Layers that have wings. */
const WINGED = ['workflows', 'activities', 'api'];

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

  it('has no circle of files or of folders, type imports included', () => {
    const graph = graphOf(files.filter((file) => !UNBOUND.includes(file.split('/')[0] ?? '')));
    assert.deepEqual(circlesOf(graph), []);
    for (const depth of [2, 3, 4]) assert.deepEqual(circlesOf(folded(graph, depth)), []);
  });

  it('would notice a circle', () => {
    const graph = new Map([
      ['a/b/x.ts', ['a/c/y.ts']],
      ['a/c/z.ts', ['a/b/v.ts']],
    ]);
    assert.deepEqual(circlesOf(graph), []);
    assert.deepEqual(circlesOf(folded(graph, 2)), [['a/b', 'a/c']]);
    const files = new Map([
      ['a/x.ts', ['a/y.ts']],
      ['a/y.ts', ['a/z.ts']],
      ['a/z.ts', ['a/x.ts']],
    ]);
    assert.deepEqual(circlesOf(files), [['a/x.ts', 'a/y.ts', 'a/z.ts']]);
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
    assert.equal(
      faults('activities/sql/x.ts', "import type { Client } from '../clients/connections.js';"),
      1,
    );
    assert.equal(faults('activities/clients/x/y.ts', "import { x } from '../../servers/probes.js';"), 1);
    assert.equal(faults('activities/clients/x/y.ts', "import { x } from '../../sql/engine.js';"), 0);
    assert.equal(faults('api/http/x.ts', "import type { X } from '../operations/start.js';"), 1);
    assert.equal(
      faults('workflows/clients/a.ts', "import { x } from '../../activities/clients/records/a.js';"),
      1,
    );
    assert.equal(
      faults('workflows/clients/a.ts', "import type { X } from '../../activities/clients/records/a.js';"),
      0,
    );
    assert.equal(
      faults('workflows/fleet/a.ts', "import type { X } from '../../activities/clients/records/a.js';"),
      1,
    );
    assert.equal(faults('workflows/clients/a.ts', "import {\n  x,\n} from 'node:fs';"), 1);
    assert.equal(
      faults('workflows/contract/operation/a.ts', "import { x } from '../../operation/run.js';"),
      1,
    );
    assert.equal(
      faults('workflows/contract/operation/a.ts', "import type { X } from '../clients/clients.js';"),
      1,
    );
    assert.equal(faults('api/app.ts', "import { x } from '../workflows/contract/operation/ids.js';"), 0);
    assert.equal(faults('start/main.ts', "import { x } from '../test/run.js';"), 1);
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
  return importsOf(text)
    .filter(({ from, typeOnly }) => {
      const isWorkflow = part.startsWith('workflows');
      if (!from.startsWith('.')) return isWorkflow && !typeOnly && !WORKFLOW_PACKAGES.includes(from);
      return !mayImport(part, partOf(posix.join(posix.dirname(file), from)), typeOnly);
    })
    .map(({ from }) => `${file} imports ${from}`);
}

function mayImport(part: string, target: string, typeOnly: boolean): boolean {
  if (target === part) return true;
  if (target.startsWith('workflows/contract') && !part.startsWith('workflows/contract')) return true;
  const [layer, wing = ''] = target.split('/');
  if (part.startsWith('workflows/') && layer === 'activities')
    return typeOnly && (NAMES_ACTIVITIES[part] ?? []).includes(wing);
  const allowed = MAY_IMPORT[part] ?? [];
  return allowed.includes(target) || (layer !== undefined && layer !== part && allowed.includes(layer));
}

type Graph = Map<string, string[]>;

function graphOf(sources: string[]): Graph {
  return new Map(
    sources.map((file) => [
      file,
      importsOf(read(file))
        .filter(({ from }) => from.startsWith('.'))
        .map(({ from }) => posix.join(posix.dirname(file), from).replace(/\.js$/, '.ts')),
    ]),
  );
}

/** The same between folders of one depth; what lies above them is no part of it. The contract is a layer of its own. */
function folded(graph: Graph, depth: number): Graph {
  const fold = (file: string) => {
    const folders = file.split('/').slice(0, -1);
    return folders.length < depth ? undefined : folders.slice(0, depth).join('/');
  };
  const folders: Graph = new Map();
  for (const [file, targets] of graph) {
    const from = fold(file);
    if (from === undefined) continue;
    const others = targets.map(fold).filter((to) => to !== undefined && to !== from) as string[];
    folders.set(from, [...(folders.get(from) ?? []), ...others]);
  }
  return folders;
}

/** Everything that reaches itself, in groups that reach each other. */
function circlesOf(graph: Graph): string[][] {
  const reached = new Map([...graph.keys()].map((start) => [start, reach(graph, start)]));
  const inCircle = [...graph.keys()].filter((node) => reached.get(node)?.has(node)).sort();
  const groups = new Map<string, string[]>();
  for (const node of inCircle) {
    const first = inCircle.find(
      (other) => other === node || (reached.get(node)?.has(other) && reached.get(other)?.has(node)),
    );
    groups.set(first ?? node, [...(groups.get(first ?? node) ?? []), node]);
  }
  return [...groups.values()];
}

function reach(graph: Graph, start: string): Set<string> {
  const seen = new Set<string>();
  const open = [...(graph.get(start) ?? [])];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    open.push(...(graph.get(node) ?? []));
  }
  return seen;
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

/** A layer, or its wing where it has some. */
function partOf(file: string): string {
  const folders = file.split('/').slice(0, -1);
  const depth =
    folders[0] === 'workflows' && folders[1] === 'contract' ? 3 : WINGED.includes(folders[0] ?? '') ? 2 : 1;
  return folders.slice(0, depth).join('/');
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
