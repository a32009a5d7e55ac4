import { join } from 'node:path';
import type { Log } from '../process/log.js';
import { toolsDir } from '../start/tools/config.js';
import { findGo } from '../start/tools/go.js';
import { buildSampleImage, buildSampleProgram } from './product/image.js';
import { ensureTools } from './tools.js';

/** Everything that hosts with the sample product need; answers the paths of its images, in the order of the versions. */
export async function prepareLab(versions: readonly string[], log: Log): Promise<string[]> {
  const cacheDir = join(toolsDir, 'sample-product');
  // said before a minute goes by with what does not need it
  await findGo();
  await Promise.all([ensureTools(log), buildSampleProgram({ cacheDir, log })]);
  return Promise.all(versions.map((version) => buildSampleImage({ version, cacheDir, log })));
}
