import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readWorkerConfig } from '../../worker/config.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DATABASE_URL = 'postgres://u:p@127.0.0.1/slipway';

describe('configuration of the worker', () => {
  it('lists everything that is wrong at once', () => {
    const wrong = {
      NODE_ENV: 'production',
      HOLD_WINDOW_MINUTES: '-1',
      MAIL_FROM: 'nobody',
      CHECK_ADDRESSES: '192.0.2.1, example.test',
      SMTP_URL: 'smtp://x',
      SMTP_URL_FILE: '/nonexistent/file',
    };
    const named = [
      ...['DATABASE_URL', 'SECRET_KEY', 'HOLD_WINDOW_MINUTES'],
      ...['MAIL_FROM', 'CHECK_ADDRESSES', 'SMTP_URL_FILE'],
    ];
    assert.throws(
      () => readWorkerConfig(wrong),
      ({ message }: Error) => named.every((name) => message.includes(name)),
    );
  });

  it('keeps keys where the API looks for them', () => {
    const config = readWorkerConfig({ DATABASE_URL, DATA_DIR: '/data' });
    assert.equal(config.sshKeyFile, '/data/ssh/id_ed25519');
    assert.equal(config.sshPublicKeyFile, '/data/ssh/id_ed25519.pub');
  });

  it('never holds when the window is zero', () => {
    assert.equal(readWorkerConfig({ DATABASE_URL, HOLD_WINDOW_MINUTES: '0' }).limits.holdWindowMs, 0);
  });
});

describe('npm start', () => {
  it('names what is wrong with each part, once, before it starts anything', () => {
    const { PATH } = process.env;
    const env = { PATH, PORT: 'x', LOG_LEVEL: 'loud', MAIL_FROM: 'nobody', TEMPORAL_UI_PORT: '0' };
    const args = ['--import', 'tsx', 'start/main.ts'];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8' });
    assert.equal(status, 1);
    const [title, ...lines] = stderr.trim().split('\n');
    assert.equal(title, 'Configuration:');
    const names = lines.map((line) => /^ {2}- (\w+)/.exec(line)?.[1]).sort();
    assert.deepEqual(names, ['LOG_LEVEL', 'MAIL_FROM', 'PORT', 'TEMPORAL_UI_PORT']);
  });
});
