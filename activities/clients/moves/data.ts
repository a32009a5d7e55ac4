import type { MoveRoute } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { nameOf } from '../../hosts/connections.js';
import type { Host } from '../../hosts/host.js';
import { checkIdentifier, mariadbHost } from '../../sql/identifiers.js';
import { joinScripts, type Script, sh } from '../../ssh/shell.js';
import type { Connections } from '../connections.js';
import { backupPath } from '../containers/backup.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { DATA_TIMEOUT_MS, DUMP_FILES, MOVED } from './workspace.js';

interface Dump {
  route: MoveRoute;
  from: Host;
  to: Host;
  /** where it is, and where it is to be */
  path: string;
  made: string;
  files: readonly string[];
}

/** A client's dump on its way to another server. */
export function createMovedDataActivities(connections: Connections) {
  const { ssh } = connections;
  const hosts = createClientHosts(connections);

  /** Names of the dump's files; `CommandFailed` unless it has all of them. */
  const listDump = async (host: Host, path: string, step: StepContext): Promise<string[]> => {
    const script = sh`cd -- ${path} && find . -maxdepth 1 -type f -printf '%f\n'`;
    const { stdout } = await hosts.look(host, step, script, { what: 'listing the dump' });
    const there = stdout.split('\n');
    const whole = there.includes('files.tar.gz') && there.some((file) => file.startsWith('database.'));
    if (whole) return DUMP_FILES.filter((file) => there.includes(file));
    throw failure('CommandFailed', `the dump in ${path} on ${nameOf(host.server)} is not whole`, {
      hint: "are the client's database and directory still there? then retry",
    });
  };

  /** One host has one fence for the subject, which two ends would wait for each other at. */
  const moveOnHost = async ({ route, to, path, made, files }: Dump, step: StepContext): Promise<void> => {
    const parts = files.map(
      (file) => sh`{ ${readScript(`${path}/${file}`, route)}; } > ${`${made}/${file}.partial`}
mv -f -- ${`${made}/${file}.partial`} ${`${made}/${file}`}`,
    );
    const script = sh`umask 077; mkdir -p -- ${made}
${joinScripts(parts)}`;
    await hosts.runJob(to, step, { script, timeoutMs: DATA_TIMEOUT_MS });
  };

  const moveBetweenHosts = async (
    { route, from, to, path, made, files }: Dump,
    step: StepContext,
  ): Promise<void> => {
    let sizeBytes = 0;
    for (const file of files) {
      sizeBytes += await ssh.transfer({
        from: { target: from.target, script: readScript(`${path}/${file}`, route) },
        to: { target: to.target, path: `${made}/${file}` },
        step,
        what: `moving ${file} of ${route.source.names.name}`,
        timeoutMs: DATA_TIMEOUT_MS,
      });
    }
    step.summarize(`${sizeBytes} bytes`);
  };

  return {
    /** Streams the dump to the target, file by file, each whole or absent. */
    async moveDump(
      { path, ...route }: MoveRoute & { path: string },
      step: StepContext,
    ): Promise<{ path: string }> {
      const { source, target } = route;
      const [from, to] = await Promise.all([
        hosts.open(source.names.serverId, step),
        hosts.open(target.names.serverId, step),
      ]);
      const made = `${backupPath(to.server, target.names, step)}${MOVED}`;
      const dump = { route, from, to, path, made, files: await listDump(from, path, step) };
      const move = from.server.id === to.server.id ? moveOnHost : moveBetweenHosts;
      await move(dump, step);
      return { path: made };
    },
  };
}

/**
 * A file of the dump as it is to arrive. Whoever defined a view or trigger is an account of the source's network: there
 * it is the client's account on the target. Only lines that begin so are changed, which no line of data does.
 */
function readScript(file: string, { source, target }: MoveRoute): Script {
  if (!file.endsWith('/database.sql.gz')) return sh`cat -- ${file}`;
  const [from, to] = [source, target].map(({ names }) => mariadbHost(names.subnet)) as [string, string];
  return sh`set -o pipefail
q='\`' from=${from} to=${to} was=${checkIdentifier(source.names.name)} is=${checkIdentifier(target.names.name)}
gunzip -c -- ${file} | sed "/^\/\*!5\|^CREATE /s|DEFINER=$q$was$q@$q$from$q|DEFINER=$q$is$q@$q$to$q|g" | gzip -1`;
}
