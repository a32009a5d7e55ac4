import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readArguments } from '../../lab/quickstart/arguments.js';

describe('arguments of the quickstart', () => {
  it('is a lab host that stays, without any', () => {
    assert.deepEqual(readArguments([]), { once: false, server: null });
    assert.deepEqual(readArguments(['--once']), { once: true, server: null });
  });

  it('takes a server with its SSH port, and its SQL password from elsewhere', () => {
    const args = [
      '--server',
      'www-data@10.0.0.13:2222',
      '--domain',
      'clients.example.test',
      '--sql-user',
      'backend',
    ];
    assert.deepEqual(readArguments(args, 'secret')?.server, {
      sshUser: 'www-data',
      host: '10.0.0.13',
      sshPort: '2222',
      domain: 'clients.example.test',
      sqlUser: 'backend',
      sqlPassword: 'secret',
      sqlEngine: 'mariadb',
      product: 'laravel',
      versionTag: '1.3-master',
    });
  });

  it('refuses what it does not know', () => {
    for (const args of [
      ['--sever'],
      ['--server', 'host'],
      ['--server', 'a@-x'],
      ['--server', 'a@b:c'],
      ['once'],
    ]) {
      assert.throws(() => readArguments(args), args.join(' '));
    }
  });
});
