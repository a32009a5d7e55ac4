import { join } from 'node:path';

/** Per machine: addresses are the machine's, and an overlay's upper layer needs a plain file system. */
export const labDir = '/var/lib/slipway-lab';

/** Where `up` keeps what it started, for `down` and for whoever wants the addresses. */
export const stateFile = join(labDir, 'up.json');
