import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toolsDir } from '../../start/tools/config.js';
import { type LabHost, startLabHost } from '../../lab/host.js';
import { deliverProduct } from '../../lab/product/deliver.js';
import { buildSampleImage } from '../../lab/product/image.js';
import { ensureSampleRepository } from '../../lab/product/repository.js';
import type { SqlEngine } from '../../lab/template.js';
import { sharedLab } from './lab.js';

const log = (): void => undefined;

export interface OwnHost {
  name: string;
  sql?: SqlEngine;
  /** versions of the sample product that are there */
  versions?: readonly string[];
}

/** A lab host of a test's own, for what nobody else on it would survive; the caller stops it. */
export async function startOwnHost({
  name,
  sql = 'mariadb',
  versions = ['1.3-master'],
}: OwnHost): Promise<LabHost> {
  const cacheDir = join(toolsDir, 'sample-product');
  const images: string[] = [];
  for (const version of versions) images.push(await buildSampleImage({ version, cacheDir, log }));
  const host = await startLabHost({
    name: `${name}${process.pid}`,
    sql,
    compose: sql === 'mariadb' ? 'v2' : 'v1',
    authorizedKey: await readFile(`${sharedLab().sshKeyFile}.pub`, 'utf8'),
    log,
    images,
  });
  await Promise.all([deliverProduct(host), ensureSampleRepository(host)]);
  return host;
}
