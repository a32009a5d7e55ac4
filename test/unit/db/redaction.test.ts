import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { redact, redactChunk } from '../../../db/redaction.js';

const SECRET = 'Zq7Lw2Xv9Rt4Kp8Ms3Nd6Hb5';
/** Fewer characters of a secret than these may stay at the edge of a chunk. */
const HARMLESS = 6;

/** the longest piece of the secret that still stands in the text */
function longestPiece(text: string, secret: string): number {
  for (let length = secret.length; length > 0; length -= 1) {
    for (let at = 0; at + length <= secret.length; at += 1) {
      if (text.includes(secret.slice(at, at + length))) return length;
    }
  }
  return 0;
}

describe('redaction', () => {
  const secrets = fc.string({ unit: 'grapheme-ascii', minLength: 6, maxLength: 40 });
  /** of letters that no form of a test's secret can be mistaken for */
  const around = fc.string({ unit: fc.constantFrom('.', '\n', ' '), maxLength: 30 });

  it('masks a secret wherever it stands, as it is, base64, URL-encoded or in JSON', () => {
    fc.assert(
      fc.property(secrets, around, around, (secret, before, after) => {
        fc.pre(!'...'.includes(secret) && secret.trim().length >= 6 && !/^[.\s*]*$/.test(secret));
        const forms = [
          secret,
          encodeURIComponent(secret),
          Buffer.from(secret).toString('base64'),
          JSON.stringify(secret),
        ];
        for (const form of forms) {
          const safe = redact(`${before}${form}${after}${form}`, [secret]);
          assert.ok(!safe.includes(secret), safe);
          assert.ok(!safe.includes(encodeURIComponent(secret)), safe);
        }
      }),
    );
  });

  it('leaves everything else alone, and words that are too short to be secrets', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!text.includes(SECRET));
        assert.equal(redact(text, [SECRET, 'short']), text);
      }),
    );
    assert.equal(redact('a short word', ['short']), 'a short word');
  });

  it('masks the longer of two secrets of which one holds the other', () => {
    assert.equal(redact(`x ${SECRET}more y`, [SECRET, `${SECRET}more`]), 'x *** y');
  });

  it('masks a secret in base64 that continues into other bytes', () => {
    for (const before of ['', 'u', 'us', 'user:']) {
      const header = Buffer.from(`${before}${SECRET}`).toString('base64');
      const safe = redact(`Authorization: Basic ${header}`, [SECRET]);
      assert.ok(longestPiece(safe, header) < header.length / 2, `after "${before}": ${safe}`);
    }
  });
});

describe('redaction of a stream in chunks', () => {
  for (const form of [SECRET, Buffer.from(SECRET).toString('base64').replace(/=+$/, '')]) {
    it(`leaves no telling piece of ${form === SECRET ? 'a secret' : 'its base64'}, wherever two chunks cut it`, () => {
      const whole = `password is ${form}, that was it\n`;
      for (let cut = 0; cut <= whole.length; cut += 1) {
        const safe = [whole.slice(0, cut), whole.slice(cut)].map((chunk) => redactChunk(chunk, [SECRET]));
        for (const chunk of safe) assert.ok(longestPiece(chunk, form) < HARMLESS, `${cut}: ${chunk}`);
        // two harmless pieces beside each other are more than one
        assert.ok(longestPiece(safe.join(''), form) < 2 * HARMLESS, `${cut}: ${safe.join('')}`);
      }
    });
  }

  it('reads the same each time, and leaves text without a secret as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(longestPiece(text, SECRET) < HARMLESS);
        assert.equal(redactChunk(text, [SECRET]), text);
      }),
    );
    const chunk = `${SECRET.slice(5)} and ${SECRET.slice(0, 12)}`;
    assert.equal(redactChunk(chunk, [SECRET]), redactChunk(chunk, [SECRET]));
  });
});
