import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../api/config.js';
import { type ApiServer, startApi } from '../../api/server.js';
import { servers } from '../../db/schema/index.js';
import { run } from '../../process/run.js';
import { ensureSchemathesis } from '../../lab/schemathesis.js';
import { ADMIN, basic, type Harness, openHarness } from './harness.js';

/** The same cases each time: what it finds is there tomorrow too. */
const SEED = 20_310_131;

/** The others judge what a schema cannot say: two passwords that must be alike, a name that is taken. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'allow_header_conformance',
  'missing_required_header',
];
/**
 * The worker that stands in makes no schedules, so the API is not ready, and says so. A cursor of a timeline that is too
 * long is also longer than Node takes: it answers 431 by itself and closes the connection while the rest is being sent.
 */
const CONFIG = `[[operations]]
include-path = "/health/ready"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", 503]

[[operations]]
include-path = "/operations/{id}/timeline"
generation.mode = "positive"
`;
/** With the document's own example as password: sent as the new one it locks nobody out. */
const LOGIN = { login: ADMIN.login, password: 'correct horse battery' };

describe('whatever is sent to the API', () => {
  let harness: Harness;
  let api: ApiServer;
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-schemathesis-'));
    // its worker stands in for servers; the API itself is the real one, listening
    harness = await openHarness({ temporal: 'worker', alone: true });
    const many = '1000000';
    const config = readConfig({
      DATABASE_URL: harness.store.url,
      TEMPORAL_ADDRESS: harness.address,
      TEMPORAL_TASK_QUEUE: harness.taskQueue,
      SECRET_KEY: 'test key of sufficient length',
      DATA_DIR: dir,
      PORT: '0',
      LOG_LEVEL: 'silent',
      PRODUCT: 'sample',
      RATE_LIMIT: many,
      RATE_LIMIT_CHANGES: many,
      RATE_LIMIT_CHECKS: many,
      RATE_LIMIT_STRANGERS: many,
    });
    api = await startApi(config, config.secretKey ?? '');
    await api.prepared;
    await seed(harness);
    const form = { password: LOGIN.password, confirm_password: LOGIN.password };
    assert.equal((await harness.call('POST', '/cloud_admin_password', { form })).status, 200);
  });
  after(async () => {
    await api?.close();
    await harness?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('is answered as the OpenAPI document says, without a 5xx, and 405 with Allow', async (t) => {
    const command = await ensureSchemathesis((line) => t.diagnostic(line));
    await writeFile(join(dir, 'schemathesis.toml'), CONFIG);
    const found = await run(
      command,
      [
        ...['run', `${api.url}/openapi.json`, '--header', `Authorization: ${basic(LOGIN)}`],
        ...['--checks', CHECKS.join(','), '--continue-on-failure', '--no-color'],
        ...['--seed', String(SEED), '--generation-database', 'none', '--max-examples', '10'],
        // it ends with its operation, and these never end
        ...['--exclude-path', '/operations/{id}/events'],
        // with two minutes for all of it
        // one: the parser of Python 3.11 breaks when two threads use it at once
        ...['--workers', '1', '--max-time', '110'],
        // ten times what the API lets a caller wait: a stalled machine is no answer
        ...['--request-timeout', '30'],
        // or the keys that it makes up come before the login that it has
        ...['--generation-with-security-parameters', 'false'],
        // narrow patterns make its cases slow to find, not wrong
        ...['--suppress-health-check', 'all'],
      ],
      { check: false, cwd: dir },
    );
    // its curl lines hold whole bodies
    assert.equal(found.code, 0, found.stdout.replaceAll(/^(.{500}).*$/gm, '$1…'));
    const still = await fetch(`${api.url}/clients`, { headers: { authorization: basic(LOGIN) } });
    assert.equal(still.status, 200);
  });
});

/** What the document's examples name, so that they are found. */
async function seed({ db, call }: Harness): Promise<void> {
  const server = { id: 3, host: 'web-3.example.test', domain: 'c.example.test', product: 'sample' };
  const sqlServer = { sqlHost: 'sql.example.test', sqlPort: 3306, sqlUser: 'backend', sqlPassword: '-' };
  await db
    .insert(servers)
    .overridingSystemValue()
    .values({ ...server, ...sqlServer, name: 'web-3' });
  await db.execute(sql`alter table clients alter column id restart with 42`);
  const fields = { server_id: 3, name: 'Seed', admin_login: 'seed', email: 'seed@example.test' };
  const json = { ...fields, version_tag: '1.3-master', subdomain: 'seed' };
  assert.equal((await call('POST', '/clients', { json })).status, 202);
}
