import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makePrivateKey, publicKeyLine } from '../../../activities/ssh/keys.js';

describe('a new private key', () => {
  it('can always be read, also where its public part begins with a zero byte', () => {
    // one in 256 does; that none of so many did happens once in 2,500 runs
    for (let made = 0; made < 2_000; made += 1)
      assert.match(publicKeyLine(makePrivateKey()), /^ssh-ed25519 [A-Za-z0-9+/]{68} slipway$/);
  });
});
