import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ApiConfig, readConfig } from '../../../api/config.js';
import { ensureSecretKey } from '../../../db/secret-key.js';
import { type ApiServer, startApi } from '../../../api/server.js';
import { type TestPostgres, testPostgres } from '../../support/postgres.js';

const DATABASE_URL = 'postgres://u:p@127.0.0.1/slipway';
const LONG_KEY = 'a key of sufficient length';

describe('configuration', () => {
  it('lists everything that is wrong at once', () => {
    const wrong = {
      NODE_ENV: 'production',
      HOST: '0.0.0.0',
      PORT: '80a',
      TRUSTED_PROXIES: '10.0.0.0/33',
      PANEL_ORIGINS: 'panel.example.test',
      SSH_TOFU: 'maybe',
      TLS_CERT: '/x',
      ADMIN_PASSWORD_FILE: '/nonexistent/file',
    };
    assert.throws(
      () => readConfig(wrong),
      (error: Error) =>
        [
          'DATABASE_URL',
          'SECRET_KEY',
          'HOST',
          'PORT',
          'TRUSTED_PROXIES',
          'PANEL_ORIGINS',
          'SSH_TOFU',
          'TLS_KEY',
          'ADMIN_PASSWORD_FILE',
        ].every((name) => error.message.includes(name)),
    );
  });

  it('lets production listen on loopback, with TLS, or behind it', () => {
    const base = { NODE_ENV: 'production', DATABASE_URL, SECRET_KEY: LONG_KEY };
    assert.throws(() => readConfig({ ...base, HOST: '192.0.2.1' }), /loopback/);
    assert.throws(() => readConfig({ ...base, HOST: '::' }), /loopback/);
    for (const more of [
      { HOST: '127.0.0.2' },
      { HOST: '::1' },
      { HOST: '0.0.0.0', BEHIND_TLS: 'true' },
      { HOST: '::', TLS_CERT: '/c', TLS_KEY: '/k' },
    ]) {
      assert.equal(readConfig({ ...base, ...more }).production, true);
    }
    assert.throws(() => readConfig({ NODE_ENV: 'production', DATABASE_URL }), /SECRET_KEY is required/);
    assert.equal(readConfig({ DATABASE_URL }).secretKey, null);
  });

  it('reads secrets from files, and not from two places', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'slipway-config-'));
    const file = join(directory, 'key');
    await writeFile(file, `${LONG_KEY}\n`);
    assert.equal(readConfig({ DATABASE_URL, SECRET_KEY_FILE: file }).secretKey, LONG_KEY);
    assert.throws(
      () => readConfig({ DATABASE_URL, SECRET_KEY_FILE: file, SECRET_KEY: LONG_KEY }),
      /both set/,
    );
    await rm(directory, { recursive: true });
  });
});

describe('the process', () => {
  let store: TestPostgres;
  let api: ApiServer;
  let dataDir: string;
  before(async () => {
    store = await testPostgres();
    dataDir = await mkdtemp(join(tmpdir(), 'slipway-data-'));
    const variables = {
      DATABASE_URL: store.url,
      PORT: '0',
      DATA_DIR: dataDir,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      LOG_LEVEL: 'silent',
    };
    const config: ApiConfig = readConfig(variables);
    api = await startApi(config, await ensureSecretKey(config));
    await api.prepared;
  });
  after(async () => {
    await api.close();
    await store.close();
    await rm(dataDir, { recursive: true });
  });

  it('listens, with a first administrator whose password only its owner can read', async () => {
    const file = join(dataDir, 'admin-password');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const authorization = `Basic ${Buffer.from((await readFile(file, 'utf8')).trim()).toString('base64')}`;
    const answer = await fetch(`${api.url}/clients/`, { headers: { authorization } });
    assert.equal(answer.status, 200);
    assert.equal((await fetch(`${api.url}/clients`)).status, 401);
    assert.equal((await fetch(`${api.url}/health/live`)).status, 200);
  });

  it('takes multipart forms over the wire and refuses what is too large', async () => {
    const authorization = `Basic ${Buffer.from((await readFile(join(dataDir, 'admin-password'), 'utf8')).trim()).toString('base64')}`;
    const form = new FormData();
    form.set('name', 'x');
    const invalid = await fetch(`${api.url}/clients/`, {
      method: 'POST',
      headers: { authorization },
      body: form,
    });
    assert.equal(invalid.status, 422);
    form.set('config', 'x'.repeat(300_000));
    const large = await fetch(`${api.url}/clients/`, {
      method: 'POST',
      headers: { authorization },
      body: form,
    });
    assert.equal(large.status, 413);
  });

  it('keeps the secret key that it made', async () => {
    const file = join(dataDir, 'secret-key');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const wish = { secretKey: null, dataDir };
    const [one, two] = await Promise.all([ensureSecretKey(wish), ensureSecretKey(wish)]);
    assert.equal(one, two);
    assert.ok((one ?? '').length > 40);
  });
});
