import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Per user, so that a fresh clone does not get the same tools again. */
export const toolsDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'slipway', 'tools');

/** Directories of the PATH. */
export const searchPath: readonly string[] = (process.env['PATH'] ?? '').split(delimiter);

/** What a command gets that needs more than it would inherit. */
export function environmentWith(more: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, ...more };
}
