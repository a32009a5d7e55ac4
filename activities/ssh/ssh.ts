import { createExec } from './exec.js';
import { createJobs } from './jobs.js';
import { parsePrivateKey } from './keys.js';
import { createPool } from './pool.js';
import { createRunner } from './run.js';
import { SSH_SETTINGS, type SshSettings } from './settings.js';
import type { Ssh } from './types.js';
import { transfer } from './transfer.js';
import { upload } from './upload.js';

/**
 * The SSH layer over one private key (OpenSSH format; throws a plain error when it cannot be read). Hosts need bash,
 * coreutils and util-linux (`flock`, `setsid`). Limits are those of `settings.ts` unless given.
 */
export function createSsh({
  privateKey,
  settings,
}: {
  privateKey: string;
  settings?: Partial<SshSettings>;
}): Ssh {
  parsePrivateKey(privateKey);
  const limits = { ...SSH_SETTINGS, ...settings };
  const pool = createPool({ privateKey, settings: limits });
  const exec = createExec({ pool, settings: limits });
  const runner = createRunner({ exec, settings: limits });
  return {
    ...runner,
    ...createJobs({ exec, runner, settings: limits }),
    upload: (target, file, options) => upload(runner, target, file, options),
    transfer: (wish) => transfer({ exec, runner, settings: limits }, wish),
    readHostKey: (address, signal) => pool.readHostKey(address, signal),
    close: () => pool.close(),
  };
}
