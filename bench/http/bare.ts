import { createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import postgres from 'postgres';
import { hashPassword, verifyPassword } from '../../api/http/auth/password.js';
import { ADMIN } from '../api-caller.js';

/** What each route answers with, and the statements that it runs before. */
export type BareRoutes = Record<string, { body: unknown; queries: string[]; insert: string | null }>;

/** As `DATABASE_POOL` is by default. */
const POOL = 10;

/**
 * Hono with Basic auth, and the answers of Slipway's routes as they were once: `/memory/<name>` has them in memory,
 * `/postgres/<name>` runs the plain statements first that an author without Slipway would write.
 */
async function main(routesFile: string, port: number, databaseUrl: string): Promise<void> {
  const routes = JSON.parse(await readFile(routesFile, 'utf8')) as BareRoutes;
  const sql = postgres(databaseUrl, { max: POOL, onnotice: () => undefined });
  const verifyUser = await createVerify();
  const app = new Hono();
  app.use(basicAuth({ verifyUser }));
  for (const [name, { body, queries, insert }] of Object.entries(routes)) {
    const method = insert === null ? 'GET' : 'POST';
    const status = insert === null ? 200 : 202;
    app.on(method, `/memory/${name}`, async (c) => {
      if (insert !== null) await c.req.parseBody();
      return c.json(body, status);
    });
    app.on(method, `/postgres/${name}`, async (c) => {
      for (const query of queries) await sql.unsafe(query, [], { prepare: true });
      if (insert !== null)
        await sql.unsafe(insert, [JSON.stringify(await c.req.parseBody())], { prepare: true });
      return c.json(body, status);
    });
  }
  serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () => console.log('bare Hono listens'));
}

/** The same as Slipway's: scrypt at first, then a keyed digest. */
async function createVerify() {
  const hash = await hashPassword(ADMIN.password);
  const key = randomBytes(32);
  const known = new Set<string>();
  return async (login: string, password: string): Promise<boolean> => {
    const digest = createHmac('sha256', key)
      .update(JSON.stringify([login, password, hash]))
      .digest('base64');
    if (known.has(digest)) return true;
    const right = login === ADMIN.login && (await verifyPassword(password, hash));
    if (right) known.add(digest);
    return right;
  };
}

const { ROUTES_FILE = '', PORT = '', DATABASE_URL = '' } = process.env;
await main(ROUTES_FILE, Number(PORT), DATABASE_URL);
