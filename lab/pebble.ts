import { dirname, join } from 'node:path';
import type { Log } from '../process/log.js';
import { buildWithGo } from '../start/tools/go.js';
import { ensureTool } from '../start/tools/tool-cache.js';

/** The last one whose go.mod asks for no newer Go than the other tools here. */
const VERSION = '2.10.1';

export interface AcmeTools {
  /** a certificate authority for tests, which looks at the names that it certifies */
  pebble: string;
  /** the DNS that it asks */
  dns: string;
}

/** The authority that the makers of ACME test with, and its DNS, built by Go. */
export async function ensurePebble(log: Log): Promise<AcmeTools> {
  const module = 'github.com/letsencrypt/pebble/v2';
  const commands = ['pebble', 'pebble-challtestsrv'].map((name) => `${module}/cmd/${name}@v${VERSION}`);
  const built = {
    title: `building ${VERSION} with Go`,
    version: VERSION,
    fetch: (dir: string) => buildWithGo({ args: ['install', ...commands], dir, log }),
  };
  const pebble = await ensureTool({ name: 'pebble', sources: [built], log });
  return { pebble, dns: join(dirname(pebble), 'pebble-challtestsrv') };
}
