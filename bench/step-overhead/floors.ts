import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { diesWithParent } from '../../process/dies-with-parent.js';
import { pollUntil } from '../../process/poll.js';
import { endProcess, processId } from '../../process/process-id.js';
import { run } from '../../process/run.js';
import type { LabTarget } from '../lab-target.js';

const OPEN_MS = 15_000;
const STOP_MS = 5_000;

export interface ControlMaster {
  /** one more `ssh` over the open connection, with the script on its standard input */
  run(script: string): Promise<void>;
  close(): Promise<void>;
}

/** OpenSSH's way to keep a connection open, without any configuration of this machine's user. */
export async function openControlMaster({ host, keyFile }: LabTarget, dir: string): Promise<ControlMaster> {
  const path = join(dir, 'control');
  const where = ['-F', '/dev/null', '-o', `ControlPath=${path}`, `${host.sshUser}@${host.address}`];
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'ControlMaster=yes',
  ];
  const args = [...options.flatMap((option) => ['-o', option]), '-q', '-N', '-i', keyFile, ...where];
  const [program = '', ...rest] = diesWithParent('KILL', ['ssh', ...args]);
  const master = spawn(program, rest, { stdio: 'ignore', detached: true });
  const id = processId(master.pid as number);
  await pollUntil({
    what: 'the ControlMaster is open',
    deadlineMs: OPEN_MS,
    probe: async () => (await run('ssh', ['-O', 'check', ...where]), true),
  });
  return {
    async run(script) {
      await run('ssh', [...where, 'exec bash -s'], { input: script });
    },
    close: () => endProcess(id, STOP_MS),
  };
}
