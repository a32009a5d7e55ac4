import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../../process/log.js';
import { searchPath, toolsDir } from './config.js';
import { withLock } from '../../process/lock.js';

/** One way to a tool. */
export interface Source {
  /** said before it is tried */
  title: string;
  /** part of the directory's name, so that another version is another tool */
  version: string;
  /** leaves the tool, named as itself, in `dir`; throws when this way is closed */
  fetch(dir: string): Promise<void>;
}

interface Tool {
  name: string;
  /** in the order in which they are tried */
  sources: readonly Source[];
  log: Log;
  cacheDir?: string;
}

/** Path of the tool: as it was got before, else from the first source that has it. Safe to call at the same time. */
export async function ensureTool({ name, sources, log, cacheDir = toolsDir }: Tool): Promise<string> {
  const fileOf = ({ version }: Source) => join(cacheDir, `${name}-${version}`, name);
  const kept = () => sources.map(fileOf).find((file) => existsSync(file));
  return (
    kept() ??
    withLock(join(cacheDir, `${name}.lock`), async () => {
      const found = kept();
      if (found !== undefined) return found;
      const failures: string[] = [];
      for (const source of sources) {
        log(`${name}: ${source.title}`);
        const failure = await fetchWhole(source, name, dirname(fileOf(source))).catch((error: unknown) => {
          if (wasEnded(error)) throw error;
          return firstLine(error);
        });
        if (failure === undefined) return fileOf(source);
        log(`  not so: ${failure}`);
        failures.push(`${source.title}: ${failure}`);
      }
      throw new Error([`no ${name} is to be had here:`, ...failures].join('\n  - '));
    })
  );
}

/** Into a directory beside, which is renamed, so that a half-made tool is never found. */
async function fetchWhole({ fetch }: Source, name: string, dir: string): Promise<undefined> {
  const beside = join(dirname(dir), `.${name}`);
  await rm(beside, { recursive: true, force: true }); // of a killed process
  await mkdir(beside, { recursive: true });
  try {
    await fetch(beside);
    if (!existsSync(join(beside, name))) throw new Error(`there is no ${name} in it`);
    await rm(dir, { recursive: true, force: true });
    await rename(beside, dir);
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** By Ctrl-C, say: whoever wanted that does not want the next way tried. */
export function wasEnded(error: unknown): boolean {
  return error instanceof Error && 'signal' in error && error.signal !== null;
}

/** The last words of a command stand on a line of their own behind its name. */
function firstLine(error: unknown): string {
  const [command = '', ...words] = String(error instanceof Error ? error.message : error).split('\n');
  return words.length === 0 ? command : `${command} ${words.at(-1)}`.slice(0, 400);
}

export function findOnPath(name: string): string | undefined {
  return searchPath.map((dir) => join(dir, name)).find((file) => existsSync(file));
}
