import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createRedaction } from '../../../db/redaction.js';

const SECRET = 'Zq7Lw2Xv9Rt4Kp8Ms3Nd6Hb5';
/** Fewer characters of a secret than these may stay at the edge of a chunk. */
const HARMLESS = 6;

function knowing(values: readonly string[]) {
  const redaction = createRedaction();
  for (const value of values) redaction.add(value);
  return redaction;
}

const redact = (text: string, values: readonly string[]) => knowing(values).redact(text);
const redactChunk = (text: string, values: readonly string[]) => knowing(values).redactChunk(text);

/** What redaction promises, without any index: whatever is a form, or a form's piece at an edge of a chunk, is masked. */
function naive(text: string, forms: readonly string[], isChunk: boolean): string {
  const spans: [number, number][] = [];
  for (const form of forms) {
    for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1))
      spans.push([at, at + form.length]);
    for (let length = HARMLESS; isChunk && length < form.length; length += 1) {
      if (text.startsWith(form.slice(-length))) spans.push([0, length]);
      if (text.endsWith(form.slice(0, length))) spans.push([text.length - length, text.length]);
    }
  }
  const joined: [number, number][] = [];
  for (const [from, to] of spans.sort(([a], [b]) => a - b)) {
    const last = joined.at(-1);
    if (last !== undefined && from < last[1]) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined.reduceRight((rest, [from, to]) => `${rest.slice(0, from)}***${rest.slice(to)}`, text);
}

function naiveForms(value: string): string[] {
  const base64 = ['', '.', '..'].map((before) => {
    const whole = Buffer.from(before + value)
      .toString('base64')
      .replaceAll('=', '');
    const shared = Buffer.byteLength(before + value) % 3 !== 0;
    return whole.slice(before === '' ? 0 : before.length + 1, shared ? -1 : undefined);
  });
  const shell = value.split("'").join(String.raw`'\''`);
  return [value, encodeURIComponent(value), ...base64, JSON.stringify(value).slice(1, -1), shell];
}

/** the longest piece of the secret that still stands in the text */
function longestPiece(text: string, secret: string): number {
  for (let length = secret.length; length > 0; length -= 1) {
    for (let at = 0; at + length <= secret.length; at += 1) {
      if (text.includes(secret.slice(at, at + length))) return length;
    }
  }
  return 0;
}

describe('redaction of many secrets', () => {
  /** few letters, so that they begin alike and overlap each other; and pieces, so that one holds another */
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', "'", 'é', '/'), maxLength: 14 });
  const values = fc
    .array(fc.tuple(letters, fc.nat(4), fc.nat(3)), { minLength: 1, maxLength: 8 })
    .map((all) => all.flatMap(([value, from, cut]) => [value, value.slice(from, value.length - cut)]));

  it('masks what a search for each form would find, whole or cut by an edge, while they come and go', () => {
    const pieces = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.constantFrom('', '', 'a', '.')));
    fc.assert(
      fc.property(values, fc.array(fc.nat()), pieces, (added, removals, cuts) => {
        const redaction = knowing(added);
        const known = [...added];
        for (const at of removals) {
          const [removed] = known.splice(at % Math.max(known.length, 1), 1);
          if (removed !== undefined) redaction.remove(removed);
        }
        const all = added.flatMap(naiveForms);
        const text = cuts
          .map(
            ([form, from, to, then]) => (all[form % all.length] ?? '').slice(from % 4, 4 + (to % 12)) + then,
          )
          .join('');
        const forms = known.filter((value) => value.length >= HARMLESS).flatMap(naiveForms);
        assert.equal(redaction.redact(text), naive(text, forms, false));
        assert.equal(redaction.redactChunk(text), naive(text, forms, true));
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes no longer for more of them', () => {
    const redaction = knowing([SECRET]);
    const chunk = `GET /api/v1/users?page=7 200 12ms\n`.repeat(120);
    const few = fastest(() => redaction.redactChunk(chunk));
    for (let at = 0; at < 20_000; at += 1) redaction.add(`value-${at}-${'x'.repeat(18)}`);
    const many = fastest(() => redaction.redactChunk(chunk));
    // a look for each of them takes hundreds of milliseconds, a tenth of a millisecond is what it may take
    assert.ok(many < Math.max(10 * few, 5), `${few} ms with one, ${many} ms with 20,001`);
  });

  it('takes no longer where they all begin alike', () => {
    const redaction = knowing(Array.from({ length: 20_000 }, (_, at) => `value-${at}-${'x'.repeat(18)}`));
    const chunk = 'value-17 value-19999-xxx value- '.repeat(120);
    assert.equal(redaction.redactChunk(chunk), chunk);
    // 360 places where all of them may begin: a look at each of them takes 250 ms
    assert.ok(fastest(() => redaction.redactChunk(chunk)) < 50);
  });

  it('knows a value with half a character in it', () => {
    const half = `half-\ud83d-${SECRET}`;
    assert.equal(redact(`it is ${half}.`, [half]), 'it is ***.');
  });
});

/** Milliseconds of processor: others on the machine do not count. */
function fastest(work: () => unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...times);
}

describe('redaction', () => {
  const secrets = fc.string({ unit: 'grapheme-ascii', minLength: 6, maxLength: 40 });
  /** of letters that no form of a test's secret can be mistaken for */
  const around = fc.string({ unit: fc.constantFrom('.', '\n', ' '), maxLength: 30 });

  it('masks a secret wherever it stands, as it is, base64, URL-encoded, in JSON or quoted for a shell', () => {
    fc.assert(
      fc.property(secrets, around, around, (secret, before, after) => {
        fc.pre(!'...'.includes(secret) && secret.trim().length >= 6 && !/^[.\s*]*$/.test(secret));
        const forms = [
          secret,
          encodeURIComponent(secret),
          Buffer.from(secret).toString('base64'),
          JSON.stringify(secret),
          secret.replaceAll("'", String.raw`'\''`),
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
