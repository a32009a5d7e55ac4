import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readConfig } from '../../../api/config.js';
import { type CallOptions, type Harness, openHarness } from '../harness.js';

const LIMITS = { requests: 12, changes: 4, checks: 2, strangers: 6 };

describe('over the rate', () => {
  let api: Harness;
  before(async () => {
    api = await openHarness({ temporal: 'none', settings: { rateLimits: LIMITS } });
  });
  after(() => api.close());

  /** Statuses of the same call, again and again. */
  const repeat = async (times: number, method: string, path: string, init: CallOptions) => {
    const statuses: number[] = [];
    for (let i = 0; i < times; i += 1) statuses.push((await api.call(method, path, init)).status);
    return statuses;
  };

  it('every route is 429 with Retry-After, for one caller at one address alone', async () => {
    const from = '192.0.2.10';
    assert.deepEqual(await repeat(12, 'GET', '/clients', { from }), Array(12).fill(200));
    const over = await api.call('GET', '/servers', { from });
    assert.equal(over.status, 429);
    assert.equal(((await over.json()) as { code: string }).code, 'too_many_requests');
    const wait = Number(over.headers.get('retry-after'));
    assert.ok(wait > 0 && wait <= 60);
    assert.equal((await api.call('GET', '/clients', { from: '192.0.2.11' })).status, 200);
  });

  it('says on every answer what is left', async () => {
    const from = '192.0.2.12';
    const left = async (method: string, path: string) => {
      const { headers } = await api.call(method, path, { from });
      const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) =>
        Number(headers.get(`ratelimit-${name}`)),
      );
      assert.ok((reset ?? 0) > 0 && (reset ?? 0) <= 60);
      return [limit, remaining];
    };
    assert.deepEqual(await left('GET', '/clients'), [12, 11]);
    assert.deepEqual(await left('GET', '/nowhere'), [12, 10]);
    assert.deepEqual(await left('POST', '/clients'), [4, 3], 'the tighter bound where there is one');
  });

  it('what changes something is bounded more tightly, decisions on operations too', async () => {
    const from = '192.0.2.13';
    const operation = '/operations/01K4Q2V7T3W9Z8X6C5B4N3M2A1/retry';
    assert.deepEqual(await repeat(4, 'POST', operation, { from, json: {} }), [404, 404, 404, 404]);
    assert.equal((await api.call('POST', operation, { from, json: {} })).status, 429);
    assert.equal((await api.call('DELETE', '/clients/1', { from })).status, 429);
    assert.equal((await api.call('GET', '/clients', { from })).status, 200, 'reads go on');
  });

  it('check_host, which connects to what it is told, most tightly', async () => {
    const from = '192.0.2.14';
    assert.deepEqual(await repeat(2, 'GET', '/servers/check_host/dead.example.test', { from }), [503, 503]);
    assert.equal((await api.call('GET', '/servers/check_host/other.example.test', { from })).status, 429);
    const post = await api.call('POST', '/servers/check_host/other.example.test', { from, json: {} });
    assert.equal(post.status, 429);
  });

  it('strangers are refused before their password is looked at; who lately logged in there is not', async () => {
    const from = '192.0.2.15';
    assert.equal((await api.call('GET', '/clients', { from })).status, 200);
    const guesses: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      const as = { login: `name${i}`, password: 'guess' };
      guesses.push((await api.call('GET', '/clients', { from, as })).status);
    }
    assert.deepEqual(guesses.slice(0, 5), Array(5).fill(401));
    assert.deepEqual(guesses.slice(-2), [429, 429]);
    const wrongKey = { from, as: null, headers: { 'x-api-key': 'slipway_x' } };
    assert.equal((await api.call('GET', '/clients', wrongKey)).status, 429);
    const health = await api.call('GET', '/health/live', { from, as: null });
    assert.equal(health.status, 200, 'or a flood would take the process out of service');
    assert.equal((await api.call('GET', '/clients', { from })).status, 200);
  });

  it('the bounds come from the environment', () => {
    const base = { DATABASE_URL: 'postgres://u:p@127.0.0.1/slipway' };
    assert.equal(readConfig({ ...base, RATE_LIMIT_CHANGES: '7' }).rateLimits.changes, 7);
    const all = { RATE_LIMIT: '0', RATE_LIMIT_CHECKS: 'x', RATE_LIMIT_STRANGERS: '-1' };
    assert.throws(
      () => readConfig({ ...base, ...all }),
      (error: Error) => Object.keys(all).every((name) => error.message.includes(name)),
    );
  });
});
