import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { scriptText } from '../../activities/ssh/shell.js';
import type { Log } from '../../process/log.js';
import { toolsDir } from '../../start/tools/config.js';
import { run } from '../../process/run.js';
import type { LabHost } from '../../lab/host.js';
import type { Rig } from './rig.js';
import { checkFromOutside, type Pattern, type PeerClient } from './things.js';

/** The last ansible-core for Python 3.11, and the mitogen that knows it. */
export const PINS = ['ansible-core==2.19.14', 'mitogen==0.3.54'];

export const TUNINGS = ['plain', 'pipelining', 'mitogen'] as const;
export type Tuning = (typeof TUNINGS)[number];

export interface Ansible {
  versions: string;
  create(tuning: Tuning, client: PeerClient): Promise<number>;
  /** a run that may be killed; several may run at once */
  start(tuning: Tuning, client: PeerClient): Promise<PlaybookRun>;
  close(): Promise<void>;
}

export interface PlaybookRun {
  /** 0 when every task has succeeded */
  ended: Promise<number | null>;
  /** when the task begins, or the run has ended before */
  reaches(task: string): Promise<unknown>;
  /** -9, with all of its forks */
  kill(): void;
}

/** A virtual environment of its own beside the other tools, made once. */
export async function ensureAnsible(log: Log): Promise<string> {
  const venv = join(toolsDir, PINS.join('-').replaceAll('==', '-'));
  if (existsSync(join(venv, 'bench-ready'))) return venv;
  log(`installing ${PINS.join(' ')}`);
  await mkdir(toolsDir, { recursive: true });
  await rm(venv, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', venv]);
  await run(join(venv, 'bin/pip'), ['install', '-q', ...PINS]);
  await writeFile(join(venv, 'bench-ready'), '');
  return venv;
}

interface OpenAnsible {
  rig: Pick<Rig, 'sshKeyFile'> & { host: LabHost };
  pattern: Pattern;
  log: Log;
}

/**
 * Ansible with the sections as its tasks, one `shell` task each, which is the fewest round trips that it can have. Its
 * connection stays open between runs (ControlPersist), facts are not gathered, writing the playbook is not timed.
 */
export async function openAnsible({ rig, pattern, log }: OpenAnsible): Promise<Ansible> {
  const venv = await ensureAnsible(log);
  // short, for the path of its control socket
  const dir = await mkdtemp('/tmp/slb-');
  const { stdout: site } = await run(join(venv, 'bin/python'), [
    '-c',
    'import ansible_mitogen as m; print(m.__path__[0])',
  ]);
  for (const tuning of TUNINGS) {
    const config = configOf(tuning, { dir, strategies: join(site.trim(), 'plugins/strategy'), rig });
    await writeFile(join(dir, `${tuning}.cfg`), config);
  }
  const commandOf = async (tuning: Tuning, client: PeerClient): Promise<string[]> => {
    const file = join(dir, `${client.thing.names.name}.yml`);
    await writeFile(file, playbookOf(client), { mode: 0o600 });
    const variables = [`ANSIBLE_CONFIG=${join(dir, `${tuning}.cfg`)}`, `HOME=${dir}`];
    return ['env', ...variables, join(venv, 'bin/ansible-playbook'), '-i', `${rig.host.address},`, file];
  };
  return {
    versions: PINS.join(' ').replaceAll('==', ' '),
    async create(tuning, client) {
      const [program = '', ...args] = await commandOf(tuning, client);
      const began = performance.now();
      await run(program, args);
      await checkFromOutside(pattern, client.thing);
      return performance.now() - began;
    },
    async start(tuning, client) {
      const [program = '', ...args] = await commandOf(tuning, client);
      // a group of its own, so that a kill finds its forks
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
      const ended = once(child, 'exit').then(([code]) => code as number | null);
      const lines = createInterface({ input: child.stdout });
      const reaches = (task: string) =>
        new Promise((resolve) => {
          lines.on('line', (line) => line.startsWith(`TASK [${task}]`) && resolve(undefined));
          lines.once('close', resolve);
        });
      await once(child, 'spawn');
      return { ended, reaches, kill: () => endGroup(child.pid) };
    },
    async close() {
      for (const tuning of TUNINGS) {
        const path = join(dir, tuning);
        if (existsSync(path))
          await run('ssh', ['-o', `ControlPath=${path}`, '-O', 'exit', rig.host.address], { check: false });
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // it has just ended
  }
}

function configOf(
  tuning: Tuning,
  { dir, strategies, rig }: { dir: string; strategies: string; rig: OpenAnsible['rig'] },
): string {
  const ssh = `-C -o ControlMaster=auto -o ControlPersist=600s -o ControlPath=${join(dir, tuning)}`;
  return [
    '[defaults]',
    `remote_user = ${rig.host.sshUser}`,
    `private_key_file = ${rig.sshKeyFile}`,
    'host_key_checking = False',
    'remote_tmp = /tmp/.ansible-bench',
    ...(tuning === 'plain' ? [] : ['interpreter_python = /usr/bin/python3']),
    ...(tuning === 'mitogen' ? [`strategy_plugins = ${strategies}`, 'strategy = mitogen_linear'] : []),
    '[ssh_connection]',
    `ssh_args = ${ssh} -o UserKnownHostsFile=/dev/null`,
    ...(tuning === 'plain' ? [] : ['pipelining = True']),
    '',
  ].join('\n');
}

/** JSON texts are YAML too; `!unsafe` keeps Ansible from reading Docker's formats as templates of its own. */
function playbookOf({ sections }: PeerClient): string {
  const tasks = sections.map(({ name, script, input }) =>
    [
      `    - name: ${name}`,
      '      ansible.builtin.shell:',
      '        executable: /bin/bash',
      `        cmd: !unsafe ${JSON.stringify(`export LC_ALL=C; set -eu\n${scriptText(script)}\n`)}`,
      `        stdin: !unsafe ${JSON.stringify(input ?? '')}`,
      '        stdin_add_newline: false',
    ].join('\n'),
  );
  return `- hosts: all\n  gather_facts: false\n  tasks:\n${tasks.join('\n')}\n`;
}
