import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  environmentOf,
  loadProfile,
  loadProfiles,
  parseProfile,
  PRODUCT_COMMANDS,
} from '../../../activities/clients/product/profile.js';
import { TEMPLATES_DIRECTORY } from '../../../activities/templates/template.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';

const SAMPLE = readFileSync(new URL('products/sample/profile.yaml', TEMPLATES_DIRECTORY), 'utf8');
const parse = (text: string) => parseProfile({ name: 'sample', file: 'products/sample/profile.yaml', text });

const FACTS = {
  url: 'http://acme.example.test/',
  hostname: 'acme.example.test',
  clientName: 'client42',
  laboratoryName: 'Acme "Lab"',
  sqlEngine: 'postgres',
  sqlHost: '10.0.0.3',
  sqlPort: '5432',
  database: 'client42',
  databaseUser: 'client42',
  databasePassword: 'secret',
  timezone: 'UTC',
  applicationKey: 'AAAA=',
  clientToken: 'token',
} as const;

test('every profile that is shipped can be loaded and has every command', () => {
  const profiles = loadProfiles();
  assert.deepEqual([...profiles.keys()].sort(), ['laravel', 'sample']);
  for (const profile of profiles.values())
    assert.deepEqual(Object.keys(profile.commands), [...PRODUCT_COMMANDS]);
});

test('the .env mapping resolves sources, prefixes, literals and the product’s own name of the SQL engine', () => {
  const values = environmentOf(loadProfile('laravel'), FACTS);
  assert.equal(values['APP_NAME'], 'Acme "Lab"');
  assert.equal(values['APP_KEY'], 'base64:AAAA=');
  assert.equal(values['APP_ENV'], 'production');
  assert.equal(values['DB_CONNECTION'], 'pgsql');
  assert.equal(
    environmentOf(loadProfile('laravel'), { ...FACTS, sqlEngine: 'mariadb' })['DB_CONNECTION'],
    'mysql',
  );
});

const WRONG: { title: string; change: (text: string) => string; says: RegExp }[] = [
  { title: 'a missing field', change: (t) => t.replace(/^healthPath:.*\n/m, ''), says: /healthPath: / },
  { title: 'a field that nobody reads', change: (t) => `${t}surprise: 1\n`, says: /surprise/ },
  {
    title: 'a port out of range',
    change: (t) => t.replace('containerPort: 8000', 'containerPort: 80000'),
    says: /containerPort: /,
  },
  {
    title: 'an unknown source',
    change: (t) => t.replace('{ from: url }', '{ from: password }'),
    says: /env\.APP_URL: /,
  },
  {
    title: 'a missing command',
    change: (t) => t.replace(/^ {2}sanitize:.*\n/m, ''),
    says: /commands\.sanitize: /,
  },
  {
    title: 'a command as text',
    change: (t) => t.replace('[artisan, maintenance, "on"]', 'artisan maintenance on'),
    says: /commands\.maintenanceOn\.run: /,
  },
  {
    title: 'a mount outside',
    change: (t) => t.replace('/app/public', '/app/../etc'),
    says: /mounts\.public: /,
  },
  {
    title: 'an example outside',
    change: (t) => t.replace('docker/.env.example', '../../etc/passwd'),
    says: /envExample: /,
  },
  {
    title: 'a websocket elsewhere',
    change: (t) => t.replace('127.0.0.1:8080', 'example.test:8080'),
    says: /websocket\.upstream: /,
  },
  {
    title: 'a repository that is an option',
    change: (t) => t.replace('/srv/repositories/sample.git', '--upload-pack=x'),
    says: /repository: /,
  },
  { title: 'broken YAML', change: (t) => `${t}\n  : [`, says: /profile\.yaml: / },
  { title: 'no mapping at all', change: () => 'just text', says: /\(whole file\): / },
];

for (const { title, change, says } of WRONG) {
  test(`${title} is refused, naming file and field`, () => {
    const text = change(SAMPLE);
    assert.notEqual(text, SAMPLE);
    assert.throws(
      () => parse(text),
      (error) => {
        assert.equal(kindOf(error), 'InvalidInput');
        assert.match((error as Error).message, /^products\/sample\/profile\.yaml: /);
        assert.match((error as Error).message, says);
        return true;
      },
    );
  });
}

test('an absent profile is NotFound, and a name that is a path is refused', () => {
  assert.throws(
    () => loadProfile('nothing'),
    (error) => kindOf(error) === 'NotFound',
  );
  for (const name of ['../products/sample', 'a/b', '', 'A', '-x']) {
    assert.throws(
      () => loadProfile(name),
      (error) => kindOf(error) === 'InvalidInput',
      name,
    );
  }
});
