import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Locator } from 'playwright-core';
import { readConfig } from '../../../api/config.js';
import { type ApiServer, startApi } from '../../../api/server.js';
import { pollUntil } from '../../../process/poll.js';
import { type BrowserPage, openBrowserPage } from '../../support/browser.js';
import { type TestPostgres, testPostgres } from '../../support/postgres.js';
import { ADMIN, basic } from '../harness.js';

const LOGIN = { username: ADMIN.login, password: ADMIN.password };

describe('/docs in a browser', () => {
  let dir: string;
  let store: TestPostgres;
  let api: ApiServer;
  let browser: BrowserPage;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-docs-'));
    store = await testPostgres();
    const config = readConfig({
      DATABASE_URL: store.url,
      // nothing that the page asks needs it
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      SECRET_KEY: 'test key of sufficient length',
      ADMIN_PASSWORD: ADMIN.password,
      DATA_DIR: dir,
      PORT: '0',
      LOG_LEVEL: 'silent',
      PRODUCT: 'sample',
    });
    api = await startApi(config, config.secretKey ?? '');
    await api.prepared;
  });
  beforeEach(async () => {
    browser = await openBrowserPage(LOGIN);
  });
  afterEach(() => browser?.close());
  after(async () => {
    await api?.close();
    await store?.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function open(fragment = ''): Promise<void> {
    await browser.page.goto(`${api.url}/docs${fragment}`);
    const shown = browser.page.locator('.opblock').first().waitFor();
    await shown.catch((cause: unknown) => {
      throw new Error(browser.complaints.join('\n'), { cause });
    });
  }

  /** Opens the list of operations, ready to be tried. */
  async function openList(): Promise<Locator> {
    await open('#/Operations/getOperations');
    const list = browser.page.locator('#operations-Operations-getOperations');
    await list.getByRole('button', { name: 'Try it out' }).click();
    return list;
  }

  /** Presses Execute, and answers the request that was sent and what the page shows of its answer. */
  async function execute(at: Locator) {
    const answered = browser.page.waitForEvent('requestfinished', (request) =>
      request.url().startsWith(`${api.url}/operations`),
    );
    await at.getByRole('button', { name: 'Execute' }).click();
    const request = await answered;
    const answer = at.locator('.live-responses-table .response');
    return {
      url: request.url(),
      headers: request.headers(),
      status: await answer.locator('.response-col_status').innerText(),
      body: JSON.parse(await answer.locator('.highlight-code code').first().innerText()) as unknown,
    };
  }

  it('shows every operation of the document, and the browser has nothing to complain of', async () => {
    await open();
    assert.equal(await browser.page.title(), 'Slipway API');
    const headers = { authorization: basic(ADMIN) };
    const answer = await fetch(`${api.url}/openapi.json`, { headers });
    const document = (await answer.json()) as { paths: Record<string, object> };
    const documented = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const methods = await browser.page.locator('.opblock-summary-method').allTextContents();
    const paths = await browser.page.locator('.opblock-summary-path').allTextContents();
    // an invisible space behind each slash lets long paths break
    const shown = methods.map((method, index) => `${method} ${paths[index]?.replaceAll('\u200B', '')}`);
    assert.deepEqual(shown.sort(), documented.sort());
    assert.equal(await browser.page.locator('.errors-wrapper').count(), 0);
    assert.deepEqual(browser.complaints, []);
  });

  it('sends only what its user filled in, and shows the answer', async () => {
    const list = await openList();
    const all = await execute(list);
    assert.equal(all.url, `${api.url}/operations`);
    assert.equal(all.status, '200');
    assert.deepEqual(all.body, { data: [], cursor: null });
    await list.getByPlaceholder('limit').fill('7');
    assert.equal((await execute(list)).url, `${api.url}/operations?limit=7`);
    assert.deepEqual(browser.complaints, []);
  });

  it('sends the login of its dialog', async () => {
    const list = await openList();
    await browser.page.locator('.auth-wrapper').getByRole('button', { name: 'Authorize' }).click();
    const form = browser.page.locator('.auth-container', { hasText: 'Password:' });
    await form.locator('input').nth(0).fill(LOGIN.username);
    await form.locator('input').nth(1).fill(LOGIN.password);
    await form.getByRole('button', { name: 'Apply credentials' }).click();
    await form.getByRole('button', { name: 'Close' }).click();
    const { headers, status } = await execute(list);
    assert.equal(headers['authorization'], basic(ADMIN));
    assert.equal(status, '200');
    assert.deepEqual(browser.complaints, []);
  });

  it('goes to the problem that an error names', async () => {
    await open('#problem-start_unconfirmed');
    const problem = browser.page.locator('#problem-start_unconfirmed');
    await pollUntil({
      what: 'the problem is in sight',
      deadlineMs: 10_000,
      probe: async () => {
        const { y, height } = (await problem.boundingBox()) ?? { y: -1, height: 0 };
        return (y >= 0 && y + height <= (browser.page.viewportSize()?.height ?? 0)) || undefined;
      },
    });
    assert.deepEqual(browser.complaints, []);
  });
});
