import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { classifyExit, hostKeyMismatch, mapSshError } from '../../../activities/ssh/errors.js';
import { fenceFile } from '../../../activities/ssh/fence.js';
import { createTextReader } from '../../../activities/ssh/job-output.js';
import { ensureMasterKey, publicKeyLine } from '../../../activities/ssh/keys.js';
import { failure, hintOf, kindOf } from '../../../workflows/contract/operation/failures.js';

const error = (message: string, more: object = {}) => Object.assign(new Error(message), more);

describe('mapSshError', () => {
  const table: [string, Error, string][] = [
    [
      'refused',
      error('connect ECONNREFUSED', { code: 'ECONNREFUSED', level: 'client-socket' }),
      'Unavailable',
    ],
    ['reset', error('read ECONNRESET', { code: 'ECONNRESET' }), 'Unavailable'],
    ['unknown name', error('getaddrinfo ENOTFOUND h', { code: 'ENOTFOUND' }), 'Unavailable'],
    ['no route', error('connect EHOSTUNREACH', { code: 'EHOSTUNREACH' }), 'Unavailable'],
    [
      'slow handshake',
      error('Timed out while waiting for handshake', { level: 'client-timeout' }),
      'Unavailable',
    ],
    ['hung peer', error('Keepalive timeout', { level: 'client-timeout' }), 'Unavailable'],
    [
      'dropped by MaxStartups',
      error('Connection lost before handshake', { level: 'protocol' }),
      'Unavailable',
    ],
    [
      'no common algorithm',
      error('Handshake failed: no matching cipher', { level: 'handshake' }),
      'Unavailable',
    ],
    ['no session free', error('(SSH) Channel open failure: open failed', { reason: 2 }), 'Unavailable'],
    ['gone before exec', error('Not connected'), 'Unavailable'],
    [
      'refused key',
      error('All configured authentication methods failed', { level: 'client-authentication' }),
      'Unauthorized',
    ],
    ['changed key', hostKeyMismatch('h', 'SHA256:a', 'SHA256:b'), 'HostKeyMismatch'],
    ['already a failure', failure('Conflict', 'x'), 'Conflict'],
    ['a bug', new TypeError('x is undefined'), 'Unexpected'],
    ['an error of Node itself', error('bad argument', { code: 'ERR_INVALID_ARG_TYPE' }), 'Unexpected'],
  ];
  for (const [name, raw, kind] of table) {
    it(`${name} is ${kind}`, () => assert.equal(kindOf(mapSshError(raw, 'root@h')), kind));
  }

  it('says where, and what to do about a refused key', () => {
    const mapped = mapSshError(error('x', { level: 'client-authentication' }), 'root@host7') as Error;
    assert.match(mapped.message, /root@host7/);
    assert.match(hintOf(mapped) ?? '', /authorized_keys/);
  });
});

describe('classifyExit', () => {
  const table: [string, string][] = [
    ['write /var/lib/x: no space left on device', 'CapacityExceeded'],
    ['mkdir: cannot create directory: Disk quota exceeded', 'CapacityExceeded'],
    ["Error: ENOSPC: no space, write '/x'", 'CapacityExceeded'],
    ['no such file or directory', 'CommandFailed'],
    ['', 'CommandFailed'],
  ];
  for (const [stderr, kind] of table) {
    it(`${JSON.stringify(stderr)} is ${kind}`, () =>
      assert.equal(kindOf(classifyExit({ command: 'compose up', exitCode: 1, stderr })), kind));
  }

  it('names command and exit code and keeps the cause at the end of a long output', () => {
    const { message } = classifyExit({
      command: 'compose up of client7',
      exitCode: 17,
      stderr: `${'x'.repeat(9000)} port in use`,
    });
    assert.match(message, /compose up of client7 ended with exit code 17.*port in use$/s);
    assert.ok(Buffer.byteLength(message) <= 1024);
  });
});

describe('fenceFile', () => {
  it('gives every subject a file name of its own, never a path', () => {
    const subjects = [
      'client:42',
      'client:4/2',
      '..',
      '.',
      'a%2Fb',
      'a/b',
      `app:${'é'.repeat(180)}`,
      `app:${'é'.repeat(179)}ê`,
    ];
    const names = subjects.map(fenceFile);
    assert.equal(new Set(names).size, subjects.length);
    for (const name of names) assert.match(name, /^(?!\.)[^/]{1,255}$/);
    assert.equal(names[0], 'client:42');
  });
});

describe('createTextReader', () => {
  it('gives back any text, however its bytes are cut, with offsets in bytes and without broken characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.array(fc.nat({ max: 7 })), (text, cuts) => {
        const bytes = Buffer.from(text);
        const reader = createTextReader(100);
        const pieces = [];
        let at = 0;
        for (const size of [...cuts, bytes.length]) {
          pieces.push(reader.read(bytes.subarray(at, at + size)));
          at = Math.min(at + size, bytes.length);
        }
        pieces.push(reader.flush());
        let next = 100;
        for (const piece of pieces) {
          if (!piece) continue;
          assert.equal(piece.offset, next);
          next += Buffer.byteLength(piece.text);
        }
        assert.equal(pieces.map((piece) => piece?.text ?? '').join(''), text);
        assert.equal(reader.offset(), 100 + bytes.length);
      }),
    );
  });

  it('never waits for more than three bytes, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        const reader = createTextReader(0);
        reader.read(Buffer.from(bytes));
        assert.ok(reader.received() - reader.offset() <= 3);
        assert.equal(reader.received(), bytes.length);
        reader.flush();
        assert.equal(reader.offset(), bytes.length);
      }),
    );
  });
});

describe('ensureMasterKey', () => {
  it('makes one key, private to its owner, and finds it again', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'slipway-key-'));
    try {
      const path = join(directory, 'deep', 'id_ed25519');
      const [first, second] = await Promise.all([ensureMasterKey(path), ensureMasterKey(path)]);
      assert.equal(first, second);
      assert.equal(await ensureMasterKey(path), first);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.match(publicKeyLine(first), /^ssh-ed25519 [A-Za-z0-9+/=]+ slipway$/);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('a broken key is told at once', () => assert.throws(() => publicKeyLine('nonsense'), /cannot be read/));
});
