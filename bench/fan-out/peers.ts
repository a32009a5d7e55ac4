import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabHost } from '../../lab/host.js';
import { run } from '../../process/run.js';

/** One client's switch, as a text for bash on its host. */
export interface Job {
  name: string;
  host: LabHost;
  script: string;
}

export interface PeerParts {
  /** short, for the paths of control sockets */
  dir: string;
  sshKeyFile: string;
  /** clients of one host at the same time */
  window: number;
}

/** `xargs -P` for each host, all hosts at once, over one kept connection to each. Answers milliseconds. */
export async function switchByXargs(jobs: readonly Job[], parts: PeerParts): Promise<number> {
  const folder = await writeScripts(jobs, parts.dir);
  const hosts = [...new Set(jobs.map(({ host }) => host))];
  const options = [
    '-i',
    parts.sshKeyFile,
    ...['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'].flatMap((o) => [
      '-o',
      o,
    ]),
    ...['ControlMaster=auto', 'ControlPersist=600s'].flatMap((o) => ['-o', o]),
  ];
  const perHost = (host: LabHost) => {
    const names = jobs.filter((job) => job.host === host).map(({ name }) => name);
    const login = ['-o', `ControlPath=${join(parts.dir, host.name)}`, `${host.sshUser}@${host.address}`];
    const one = 'file=$1; shift; exec "$@" \'bash -c "$(cat)"\' < "$file"';
    const command = ['sh', '-c', one, 'sh', join(folder, '{}'), 'ssh', ...options, ...login];
    return run('xargs', ['-P', String(parts.window), '-I', '{}', ...command], { input: names.join('\n') });
  };
  const began = performance.now();
  await Promise.all(hosts.map(perHost));
  const ms = performance.now() - began;
  await rm(folder, { recursive: true });
  return ms;
}

interface AnsibleParts extends PeerParts {
  /** of its virtual environment */
  venv: string;
}

/**
 * One playbook of one `shell` task over an alias for each client, hosts in turn, as many forks as `xargs` has; pipelining,
 * kept connections, no facts, strategy `free`, so that nobody waits for the slowest. Answers milliseconds.
 */
export async function switchByAnsible(jobs: readonly Job[], parts: AnsibleParts): Promise<number> {
  const folder = await writeScripts(jobs, parts.dir);
  const hosts = new Set(jobs.map(({ host }) => host)).size;
  const inventory = jobs.map(
    ({ name, host }) => `${name} ansible_host=${host.address} ansible_user=${host.sshUser}`,
  );
  const config = [
    '[defaults]',
    `private_key_file = ${parts.sshKeyFile}`,
    'host_key_checking = False',
    'remote_tmp = /tmp/.ansible-bench',
    'interpreter_python = /usr/bin/python3',
    `forks = ${hosts * parts.window}`,
    '[ssh_connection]',
    `ssh_args = -C -o ControlMaster=auto -o ControlPersist=600s -o ControlPath=${parts.dir}/a-%h -o UserKnownHostsFile=/dev/null`,
    'pipelining = True',
    '',
  ];
  const playbook = `- hosts: all
  gather_facts: false
  strategy: free
  tasks:
    - name: switch
      ansible.builtin.shell:
        executable: /bin/bash
        cmd: bash -c "$(cat)"
        stdin: "{{ lookup('ansible.builtin.file', '${folder}/' + inventory_hostname) }}"
`;
  await writeFile(join(folder, 'inventory'), `${inventory.join('\n')}\n`);
  await writeFile(join(folder, 'ansible.cfg'), config.join('\n'));
  await writeFile(join(folder, 'play.yml'), playbook);
  const variables = [`ANSIBLE_CONFIG=${join(folder, 'ansible.cfg')}`, `HOME=${parts.dir}`];
  const program = join(parts.venv, 'bin/ansible-playbook');
  const began = performance.now();
  await run('env', [...variables, program, '-i', join(folder, 'inventory'), join(folder, 'play.yml')]);
  const ms = performance.now() - began;
  await rm(folder, { recursive: true });
  return ms;
}

async function writeScripts(jobs: readonly Job[], dir: string): Promise<string> {
  const folder = join(dir, 'scripts');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const { name, script } of jobs) await writeFile(join(folder, name), script, { mode: 0o600 });
  return folder;
}
