import { existsSync } from 'node:fs';
import { cp, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../process/log.js';
import { toolsDir } from '../start/tools/config.js';
import { buildWithGo, findGo, sourceOf } from '../start/tools/go.js';
import { ensureTool } from '../start/tools/tool-cache.js';

/** The last version of the full server that `go install` takes; newer ones carry `replace` lines. */
const VERSION = '1.29.1';
const MODULE = 'go.temporal.io/server';
const NAME = 'temporal-server';

export interface ServerTools {
  /** the full Temporal server, as its image runs it */
  server: string;
  /** creates its databases and schemas, as the image of the admin tools does */
  sql: string;
  /** directories `config` (the image's own template, environment `docker`) and `schema/postgresql/v12` */
  root: string;
}

/** Whether the full server is built or can be; the reason is one line for a person. */
export async function serverAvailability(): Promise<{ ok: true } | { ok: false; reason: string }> {
  if (existsSync(join(toolsDir, `${NAME}-${VERSION}`, NAME))) return { ok: true };
  try {
    await findGo();
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** The full Temporal server, its SQL tool and their files, built by Go. */
export async function ensureServer(log: Log): Promise<ServerTools> {
  const built = {
    title: `building ${MODULE} v${VERSION} with Go, which takes minutes`,
    version: VERSION,
    fetch: (dir: string) => build(dir, log),
  };
  const server = await ensureTool({ name: NAME, sources: [built], log });
  const root = dirname(server);
  return { server, sql: join(root, 'sql'), root };
}

async function build(dir: string, log: Log): Promise<void> {
  const commands = ['server', 'tools/sql'].map((path) => `${MODULE}/cmd/${path}@v${VERSION}`);
  await buildWithGo({ args: ['install', ...commands], dir, log });
  const source = await sourceOf(`${MODULE}@v${VERSION}`);
  for (const path of ['config/docker.yaml', 'schema/postgresql/v12'])
    await cp(join(source, path), join(dir, path), { recursive: true });
  await rename(join(dir, 'server'), join(dir, NAME));
}
