import { failure } from '../../workflows/contract/operation/failures.js';
import { nameOf, type Server, targetOf, type HostConnections } from './connections.js';
import { sh } from '../ssh/shell.js';
import type { Ssh } from '../ssh/types.js';

export type Tool = 'docker' | 'compose' | 'nginx';

/** How the SSH user reaches what it needs on one host; every command is a list of words for `sh`. */
export interface HostFacts {
  /** `docker`, or `sudo -n docker` for a user outside the group */
  docker: readonly string[];
  /** Compose 2 (`docker compose`) or docker-compose 1.29, with the same prefix */
  compose: readonly string[];
  nginx: readonly string[];
  /** what is not installed there; its command is its plain name */
  missing: readonly Tool[];
  /** the address that the host sees us from */
  peer: string;
  /** whether nginx can listen on `[::]` there */
  ipv6: boolean;
}

/** Docker may be installed anew or a group granted meanwhile; ten minutes bound how long that goes unnoticed. */
const KEPT_MS = 600_000;

const known = new WeakMap<Ssh, Map<string, { facts: HostFacts; until: number }>>();

/** Facts of the server's host, asked once and then kept with the connections to it. `CommandFailed` names what of `needs` is missing. */
export async function hostFacts(
  connections: Pick<HostConnections, 'ssh'>,
  server: Server,
  { signal, needs = [] }: { signal?: AbortSignal; needs?: readonly Tool[] },
): Promise<HostFacts> {
  const facts = await keptFacts(connections, server, signal);
  const missing = needs.find((tool) => facts.missing.includes(tool));
  if (missing === undefined) return facts;
  throw failure('CommandFailed', `there is no ${PLAIN[missing]} on ${nameOf(server)} for ${server.sshUser}`, {
    hint: 'check_host says how to install it; then retry',
  });
}

const PLAIN: Record<Tool, string> = { docker: 'docker', compose: 'docker-compose', nginx: 'nginx' };

async function keptFacts(
  { ssh }: Pick<HostConnections, 'ssh'>,
  server: Server,
  signal?: AbortSignal,
): Promise<HostFacts> {
  const hosts = known.get(ssh) ?? new Map<string, { facts: HostFacts; until: number }>();
  known.set(ssh, hosts);
  const key = `${server.sshUser}@${server.host}:${server.sshPort}`;
  const entry = hosts.get(key);
  if (entry !== undefined && entry.until > Date.now()) return entry.facts;
  const { facts, certain } = await readHostFacts(ssh, server, signal);
  if (certain) hosts.set(key, { facts, until: Date.now() + KEPT_MS });
  else hosts.delete(key);
  return facts;
}

const DETECT = sh`
prefix=
if docker ps -q >/dev/null 2>&1; then echo 'answers yes'
elif sudo -n docker ps -q >/dev/null 2>&1; then prefix='sudo -n '; echo 'answers yes'; fi
command -v docker >/dev/null 2>&1 && echo "docker \${prefix}docker"
if \${prefix}docker compose version >/dev/null 2>&1; then echo "compose \${prefix}docker compose"
elif command -v docker-compose >/dev/null 2>&1; then echo "compose \${prefix}docker-compose"
fi
nginx=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx) || nginx=
if [ -n "$nginx" ]; then
  if [ "$(id -u)" = 0 ]; then echo "nginx $nginx"; else echo "nginx sudo -n $nginx"; fi
fi
echo "peer \${SSH_CLIENT%% *}"
if [ -e /proc/net/if_inet6 ]; then echo 'ipv6 yes'; fi`;

/** `certain`: a daemon that does not answer hides whether sudo is needed, so such facts are asked for again. */
async function readHostFacts(
  ssh: Ssh,
  server: Server,
  signal?: AbortSignal,
): Promise<{ facts: HostFacts; certain: boolean }> {
  const target = targetOf(server);
  const options = { what: 'looking for docker and nginx', ...(signal === undefined ? {} : { signal }) };
  const { stdout } = await ssh.runOk(target, DETECT, options);
  const found = new Map(
    stdout.split('\n').map((line) => [line.split(' ')[0] ?? '', line.split(' ').slice(1)] as const),
  );
  const wordsOf = (tool: Tool): readonly string[] => found.get(tool) ?? [PLAIN[tool]];
  const facts: HostFacts = {
    docker: wordsOf('docker'),
    compose: wordsOf('compose'),
    nginx: wordsOf('nginx'),
    missing: (['docker', 'compose', 'nginx'] as const).filter((tool) => !found.has(tool)),
    peer: found.get('peer')?.[0] ?? '',
    ipv6: found.has('ipv6'),
  };
  return { facts, certain: found.has('answers') && facts.missing.length === 0 };
}
