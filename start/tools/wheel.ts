import { join } from 'node:path';
import { run } from '../../process/run.js';

interface Wheel {
  /** pip's own form: name, version and hashes */
  requirements: string;
  /** the programs of the wheel are in its `bin` */
  dir: string;
  signal?: AbortSignal;
}

/** pip takes nothing with another hash, nothing that is to be built, and what does not depend on anything. */
const OPTIONS = ['--require-hashes', '--only-binary=:all:', '--no-deps', '--no-compile', '--no-cache-dir'];
/** It is told where to install, so it need not warn of root's own packages. */
const QUIET = ['--quiet', '--root-user-action=ignore', '--disable-pip-version-check'];

/** Unpacks a wheel into `dir` with pip, which checks its hash. Needs Python 3 with pip or venv. */
export async function unpackWheel({ requirements, dir, ...options }: Wheel): Promise<void> {
  const pip = await findPip(join(dir, 'pip'));
  const args = ['install', ...OPTIONS, ...QUIET, '--target', dir, '-r', requirements];
  await run(pip[0], [...pip.slice(1), ...args], options);
}

/** Whether `unpackWheel` has what it needs. */
export async function hasPip(): Promise<boolean> {
  const asked = ['import pip', 'import venv, ensurepip'];
  for (const line of asked) {
    const { code } = await run('python3', ['-c', line], { check: false }).catch(() => ({ code: 1 }));
    if (code === 0) return true;
  }
  return false;
}

/** Debian's Python has no pip of its own, and its venv brings one. */
async function findPip(venv: string): Promise<[string, ...string[]]> {
  const { code } = await run('python3', ['-m', 'pip', '--version'], { check: false });
  if (code === 0) return ['python3', '-m', 'pip'];
  await run('python3', ['-m', 'venv', venv]);
  return [join(venv, 'bin/pip')];
}
