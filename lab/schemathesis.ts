import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../process/log.js';
import { toolsDir } from '../start/tools/config.js';
import { withLock } from '../process/lock.js';
import { run } from '../process/run.js';

/** Both, because hypothesis makes the cases: a seed means the same ones only with the same version. */
const PINS = ['schemathesis==4.32.5', 'hypothesis==6.170.15'];

/** The command, in a virtual environment of its own beside the other tools, made once. Needs Python 3.10 and pip. */
export async function ensureSchemathesis(log: Log): Promise<string> {
  const venv = join(toolsDir, PINS.join('-').replaceAll('==', '-'));
  const ready = join(venv, 'ready');
  await mkdir(toolsDir, { recursive: true });
  await withLock(`${venv}.lock`, async () => {
    if (existsSync(ready)) return;
    log(`installing ${PINS.join(' ')}`);
    await rm(venv, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', venv]);
    await run(join(venv, 'bin/pip'), ['install', '-q', ...PINS]);
    await writeFile(ready, '');
  });
  return join(venv, 'bin/schemathesis');
}
