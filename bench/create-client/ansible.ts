import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scriptText } from '../../activities/ssh/shell.js';
import { type Log, toolsDir } from '../../lab/config.js';
import { run } from '../../lab/run.js';
import type { Rig } from './rig.js';
import { checkFromOutside, type Pattern, type PeerClient } from './things.js';

/** The last ansible-core for Python 3.11, and the mitogen that knows it. */
const PINS = ['ansible-core==2.19.14', 'mitogen==0.3.54'];

export const TUNINGS = ['plain', 'pipelining', 'mitogen'] as const;
export type Tuning = (typeof TUNINGS)[number];

export interface Ansible {
  versions: string;
  create(tuning: Tuning, client: PeerClient): Promise<number>;
  close(): Promise<void>;
}

/** A virtual environment of its own beside the other tools, made once. */
async function ensureAnsible(log: Log): Promise<string> {
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
  rig: Rig;
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
  return {
    versions: PINS.join(' ').replaceAll('==', ' '),
    async create(tuning, client) {
      const file = join(dir, 'playbook.yml');
      await writeFile(`${file}.new`, playbookOf(client), { mode: 0o600 });
      await rename(`${file}.new`, file);
      const args = [
        `ANSIBLE_CONFIG=${join(dir, `${tuning}.cfg`)}`,
        `HOME=${dir}`,
        join(venv, 'bin/ansible-playbook'),
      ];
      const began = performance.now();
      await run('env', [...args, '-i', `${rig.host.address},`, file]);
      await checkFromOutside(pattern, client.thing);
      return performance.now() - began;
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

function configOf(
  tuning: Tuning,
  { dir, strategies, rig }: { dir: string; strategies: string; rig: Rig },
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
