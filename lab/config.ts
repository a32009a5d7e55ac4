import { homedir } from 'node:os';
import { join } from 'node:path';

/** Per user, so that a fresh clone does not build the same tools again. */
export const toolsDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'slipway', 'tools');

/** Per machine: addresses are the machine's, and an overlay's upper layer needs a plain file system. */
export const labDir = '/var/lib/slipway-lab';

/** Where `up` keeps what it started, for `down` and for whoever wants the addresses. */
export const stateFile = join(labDir, 'up.json');

export type Log = (line: string) => void;
