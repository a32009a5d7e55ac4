import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';

/** Debian's, which the lab installs: its own libraries fit, and nothing is downloaded from elsewhere. */
const PROGRAM = '/usr/bin/chromium';
const FLAGS = [
  ...['--headless', '--no-first-run', '--disable-gpu', '--disable-quic'],
  // lab tests run as root, who has no sandbox
  '--no-sandbox',
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  // whatever would come from elsewhere fails, as on a machine without internet
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];
/** Longer than the slowest page takes on a busy machine. */
const DEADLINE_MS = 30_000;

export interface BrowserPage {
  page: Page;
  /** what a person would see in the developer tools: errors, refusals of a policy, requests that failed */
  complaints: string[];
  close(): Promise<void>;
}

/** A page of a browser that has never run before; `login` is what its user types when the server asks for it. */
export async function openBrowserPage(login?: { username: string; password: string }): Promise<BrowserPage> {
  const profile = await mkdtemp(join(tmpdir(), 'slipway-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: PROGRAM,
    args: FLAGS,
    viewport: { width: 1280, height: 900 },
    ...(login === undefined ? {} : { httpCredentials: login }),
  });
  context.setDefaultTimeout(DEADLINE_MS);
  const page = context.pages()[0] ?? (await context.newPage());
  return {
    page,
    complaints: gatherComplaints(page),
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

function gatherComplaints(page: Page): string[] {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => void complaints.push(String(error)));
  page.on('requestfailed', (request) => {
    complaints.push(`${request.url()}: ${request.failure()?.errorText ?? 'failed'}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.url()}: ${response.status()}`);
  });
  return complaints;
}
