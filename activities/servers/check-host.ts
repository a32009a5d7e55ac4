import { randomBytes } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { hintOf, kindOf } from '../../workflows/contract/operation/failures.js';
import type { CheckHostReport, CheckLine, ProbeTarget } from '../../workflows/contract/servers/probes.js';
import type { Connections } from '../clients/connections.js';
import { subnetAt, subnetCount } from '../clients/records/client-addresses.js';
import type { SqlAddress } from '../hosts/connections.js';
import { openSql } from '../sql/open-sql.js';
import type { SshTarget } from '../ssh/types.js';
import { checkLine, readCheckLine } from './check-lines.js';
import { containerSqlScript, hostCheckScript } from './host-check-script.js';

/** The API gives up after 5 s; what has not answered by then is reported as such, beside all that has. */
const PART_MS = 3_800;

/** One line per requirement on a host; never throws for what it finds. */
export async function checkHost(connections: Connections, target: ProbeTarget): Promise<CheckHostReport> {
  const readAt = new Date().toISOString();
  const signal = AbortSignal.timeout(PART_MS);
  const { ssh } = connections;
  const address = { host: target.host, port: target.sshPort };
  const [seen, sql, dns] = await Promise.all([
    ssh.readHostKey(address, signal).catch((error: unknown) => error as Error),
    checkSql(connections, target, signal),
    checkDns(target),
  ]);
  const outside = [...sql, ...dns];
  if (typeof seen !== 'string') {
    return {
      readAt,
      reachable: false,
      hostKey: null,
      lines: [sshLine(target, connections, seen), ...outside],
    };
  }
  if (target.sshHostKey !== null && target.sshHostKey !== seen) {
    return {
      readAt,
      reachable: false,
      hostKey: seen,
      lines: [hostKeyLine(target.sshHostKey, seen), ...outside],
    };
  }
  const login: SshTarget = { ...address, user: target.sshUser, hostKey: seen, baseDir: target.baseDir };
  try {
    const lines = await checkInside(connections, target, { login, signal });
    return {
      readAt,
      reachable: true,
      hostKey: seen,
      lines: [sshLine(target, connections, null), ...lines, ...outside],
    };
  } catch (error) {
    return {
      readAt,
      reachable: false,
      hostKey: seen,
      lines: [sshLine(target, connections, error as Error), ...outside],
    };
  }
}

async function checkInside(
  { ssh }: Connections,
  target: ProbeTarget,
  { login, signal }: { login: SshTarget; signal: AbortSignal },
): Promise<CheckLine[]> {
  const script = hostCheckScript({
    baseDir: target.baseDir,
    vhostDir: target.vhostDir,
    user: target.sshUser,
  });
  const [host, container] = await Promise.all([
    ssh.run(login, script, { signal, timeoutMs: PART_MS }),
    target.sqlUser === null ? [] : checkContainerSql({ ssh }, target, { login, signal }),
  ]);
  const lines = host.stdout.split('\n').flatMap((text) => readCheckLine(text, target.sshUser) ?? []);
  return [...lines, ...container];
}

function sshLine(target: ProbeTarget, { publicKey }: Connections, error: Error | null): CheckLine {
  const key = publicKey ?? "Slipway's public key (GET /ssh_key)";
  const refused = error !== null && kindOf(error) === 'Unauthorized';
  return checkLine({
    key: 'ssh',
    ok: error === null,
    found: error === null ? `login as ${target.sshUser}` : error.message,
    need: `SSH login as ${target.sshUser} with Slipway's key`,
    fix: refused
      ? `echo '${key}' >> ~${target.sshUser}/.ssh/authorized_keys`
      : ((error === null ? undefined : hintOf(error)) ?? 'is the host up, is the port right?'),
  });
}

function hostKeyLine(pinned: string, seen: string): CheckLine {
  return checkLine({
    key: 'host_key',
    ok: false,
    found: seen,
    need: pinned,
    fix: 'compare with the host itself (ssh-keygen -lf), then update the server with the new ssh_host_key',
  });
}

async function checkSql(
  { secrets }: Connections,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<CheckLine[]> {
  const { sqlUser, sqlPassword, sqlEngine, host, sqlPort } = target;
  if (sqlUser === null || sqlPassword === null) return [];
  const need = `${sqlEngine} at ${host}:${sqlPort} takes the login of ${sqlUser} from here`;
  const address: SqlAddress = { name: host, host, sqlEngine, sqlPort, sqlUser };
  try {
    const password = await secrets.reveal(sqlPassword);
    const read = openSql(address, password, signal, async (session) => ({
      version: await session.version(),
      open: await session.openAccounts(),
    }));
    const { version, open } = await orTimeout(read, signal);
    return [
      checkLine({ key: 'sql', ok: true, found: version, need, fix: '' }),
      checkLine({
        key: 'sql_open',
        ok: open.length === 0,
        level: 'warning',
        found: open.length === 0 ? 'limited to its addresses' : `${open.join(', ')} may log in from anywhere`,
        need: `${sqlUser} limited to the addresses that Slipway comes from`,
        fix: 'RENAME USER to one with an address instead of %',
      }),
    ];
  } catch (error) {
    const fix = hintOf(error) ?? 'does the SQL server listen there, does a firewall drop the port?';
    return [checkLine({ key: 'sql', ok: false, found: (error as Error).message, need, fix })];
  }
}

/** Drivers do not stop their handshake for a signal; the report does not wait for them. */
async function orTimeout<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => undefined);
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('no answer in time')), { once: true });
    }),
  ]);
}

async function checkContainerSql(
  { ssh }: Pick<Connections, 'ssh'>,
  target: ProbeTarget,
  { login, signal }: { login: SshTarget; signal: AbortSignal },
): Promise<CheckLine[]> {
  const name = `slipway-check-${randomBytes(4).toString('hex')}`;
  const script = containerSqlScript({ ...target, subnet: lastSubnet(target.clientPool), name });
  const { stdout } = await ssh.run(login, script, { signal, timeoutMs: PART_MS });
  const [answer, ...found] = stdout.trim().split('|');
  return [
    checkLine({
      key: 'sql_container',
      ok: answer === '1',
      level: answer === '0' ? 'error' : 'warning',
      found: found.join(' '),
      need: `the SQL server at ${target.sqlHost}:${target.sqlPort} answers containers of ${target.clientPool}`,
      fix: 'let the SQL server listen there, and the firewall admit the client pool (or set sql_host)',
    }),
  ];
}

/** The pool's last /28: clients are numbered from its other end. */
function lastSubnet(pool: string): string {
  return subnetAt(pool, subnetCount(pool) - 1);
}

async function checkDns({ domain, host }: ProbeTarget): Promise<CheckLine[]> {
  if (domain === null) return [];
  // one try within the report's time
  const resolver = new Resolver({ timeout: 1_500, tries: 1 });
  const name = `slipway-check.${domain}`;
  const found = await resolver.resolve4(name).catch(() => []);
  return [
    checkLine({
      key: 'dns',
      ok: found.length > 0,
      level: 'warning',
      found: found.length > 0 ? `${name} is ${found.join(', ')}` : `${name} is not in the DNS`,
      need: `*.${domain} points to the host`,
      fix: `add a record "*.${domain}" for ${host}`,
    }),
  ];
}
