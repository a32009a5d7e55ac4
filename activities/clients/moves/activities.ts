import type { ClientThing, MoveRoute } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { effectKey, jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import type { Connections } from '../connections.js';
import { nameOf } from '../../hosts/connections.js';
import { backupPath, dumpLogin } from '../containers/backup.js';
import { clientFiles, FOREIGN_EXIT, writeFilesScript } from '../containers/client-files.js';
import { CLIENT_FILES } from '../containers/compose-file.js';
import { removeFound } from '../containers/containers.js';
import { dockerFailure } from '../../docker/docker-errors.js';
import { createHostAccess, type Host } from '../containers/host-access.js';
import { loadProfile } from '../product/profile.js';
import { ASK_HTTP } from '../../hosts/ask-http.js';
import { checkIdentifier, mariadbHost } from '../../sql/identifiers.js';
import { joinScripts, type Script, sh } from '../../ssh/shell.js';
import { compareScript, sumsScript } from './sums.js';
import { DUMP_FILES, type SumsOf, workspaceOf } from './workspace.js';

export type MoveActivities = ReturnType<typeof createMoveActivities>;

/** As long as the steps: a large client's dump, its way over a slow line and its restoring take hours. */
const DATA_TIMEOUT_MS = 6 * 3_600_000;
/** A large image on a slow disk. */
const LOAD_TIMEOUT_MS = 25 * 60_000;
/** Removing a dump is quick, its files are few and large. */
const CLEAR_TIMEOUT_MS = 110_000;

/** Ends the name of a dump that came from elsewhere, beside the client's own backups. */
const MOVED = '-moved';

/** Where a dump is: on the client's own server. */
type Dumped = ClientThing & { path: string };
type SecretIds = ClientThing['names']['secrets'];

/** A client's image, files and database on their way from one server to another. */
export function createMoveActivities(connections: Connections) {
  const { clients, secrets, ssh } = connections;
  const { openHost, runJob, readExample, revealAll } = createHostAccess(connections);

  const loginOf = async ({ server }: Host) => dumpLogin(server, await secrets.reveal(server.sqlPassword));
  const withSums = async (thing: Dumped, of: SumsOf, step: StepContext): Promise<Host> => {
    const host = await openHost(thing.names.serverId, step);
    const { server, facts } = host;
    const script = sumsScript({
      ...{ thing, server, of, path: thing.path },
      docker: facts.docker,
      containerName: jobKey(step),
    });
    const input = await loginOf(host);
    await runJob(host, step, { script, input, timeoutMs: DATA_TIMEOUT_MS });
    return host;
  };

  const writeRendered = async (
    { source, target, keys, blanked }: MoveRoute & { keys: SecretIds; blanked: readonly string[] },
    step: StepContext,
  ): Promise<void> => {
    const { names } = target;
    const [from, to] = await Promise.all([
      openHost(source.names.serverId, step),
      openHost(names.serverId, step),
    ]);
    const profile = loadProfile(names.product);
    const [client, current, example, revealed] = await Promise.all([
      clients.get(names.clientId),
      readText(from, `${source.names.directory}/${CLIENT_FILES.env}`, step),
      readExample(to, profile.envExample, step),
      revealAll(keys),
    ]);
    const files = clientFiles({
      ...{ thing: target, server: to.server, client, profile, example, current, blanked },
      secrets: revealed,
    });
    const { docker } = to.facts;
    const script = writeFilesScript({ thing: target, files, envGid: profile.envGid, docker });
    const input = files.map((file) => file.content).join('');
    const { exitCode, stderr } = await ssh.run(to.target, script, { input, fence: step });
    if (exitCode === 0) return;
    const where = `${names.directory} on ${nameOf(to.server)}`;
    if (exitCode === FOREIGN_EXIT) throw failure('Conflict', `${where} is already there and not ours`);
    throw dockerFailure({ what: `writing ${where}`, exitCode, output: stderr });
  };

  return {
    /** The source's image on the target: what is there by its name already, else streamed from the source. */
    async ensureImage({ source, target }: MoveRoute, step: StepContext): Promise<void> {
      const { image } = source.names;
      const to = await openHost(target.names.serverId, step);
      const look = sh`${to.facts.docker} image inspect --format . -- ${image} >/dev/null 2>&1`;
      const { exitCode } = await ssh.run(to.target, look, { signal: step.signal });
      if (exitCode === 0) return step.summarize(`${image} is on ${nameOf(to.server)} already`);
      const from = await openHost(source.names.serverId, step);
      const path = `${workspaceOf(to.server, step.operation)}/image.tar.gz`;
      const sizeBytes = await ssh.transfer({
        from: {
          target: from.target,
          script: sh`set -o pipefail; ${from.facts.docker} save -- ${image} | gzip -1`,
        },
        to: { target: to.target, path },
        step,
        what: `moving the image ${image}`,
        timeoutMs: LOAD_TIMEOUT_MS,
      });
      const script = sh`${to.facts.docker} load --input ${path} && rm -f -- ${path}`;
      await runJob(to, step, { script, timeoutMs: LOAD_TIMEOUT_MS });
      step.summarize(`${image}, ${sizeBytes} bytes packed`);
    },

    /** The target's directory with files rendered for it; what the source's `.env` has beside known keys is kept. */
    async writeMovedFiles({ source, target }: MoveRoute, step: StepContext): Promise<void> {
      await writeRendered({ source, target, keys: target.names.secrets, blanked: [] }, step);
    },

    /** The same for a copy: keys that send something are empty, the application key is as the profile says. */
    async writeCopiedFiles({ source, target }: MoveRoute, step: StepContext): Promise<void> {
      const { applicationKey, blankEnv: blanked } = loadProfile(target.names.product).copy;
      const { secrets: own } = target.names;
      const key = applicationKey === 'source' ? source.names.secrets.applicationKey : own.applicationKey;
      await writeRendered({ source, target, keys: { ...own, applicationKey: key }, blanked }, step);
    },

    /** What the moved data is compared with; nothing must write to the client meanwhile. */
    async sumSource(thing: Dumped, step: StepContext): Promise<void> {
      await withSums(thing, 'source', step);
    },

    /** Streams the dump to the target, file by file, each whole or absent. */
    async moveDump(
      { path, ...route }: MoveRoute & { path: string },
      step: StepContext,
    ): Promise<{ path: string }> {
      const { source, target } = route;
      const [from, to] = await Promise.all([
        openHost(source.names.serverId, step),
        openHost(target.names.serverId, step),
      ]);
      const made = `${backupPath(to.server, target.names, step)}${MOVED}`;
      let sizeBytes = 0;
      const files = await listDump(from, path, step);
      if (from.server.id === to.server.id) {
        // one host has one fence for the subject, which two ends would wait for each other at
        const parts = files.map(
          (file) => sh`{ ${readScript(`${path}/${file}`, route)}; } > ${`${made}/${file}.partial`}
mv -f -- ${`${made}/${file}.partial`} ${`${made}/${file}`}`,
        );
        const script = sh`umask 077; mkdir -p -- ${made}
${joinScripts(parts)}`;
        await runJob(to, step, { script, timeoutMs: DATA_TIMEOUT_MS });
        return { path: made };
      }
      for (const file of files) {
        sizeBytes += await ssh.transfer({
          from: { target: from.target, script: readScript(`${path}/${file}`, route) },
          to: { target: to.target, path: `${made}/${file}` },
          step,
          what: `moving ${file} of ${source.names.name}`,
          timeoutMs: DATA_TIMEOUT_MS,
        });
      }
      step.summarize(`${sizeBytes} bytes`);
      return { path: made };
    },

    /** Rows and sums of every table, and sums and rights of every file, against those of the source. */
    async compareWithSource(thing: Dumped, step: StepContext): Promise<void> {
      const { target, server } = await withSums(thing, 'target', step);
      const { exitCode, stdout, stderr } = await ssh.run(target, compareScript(thing.path), { fence: step });
      const what = `comparing ${thing.names.name} on ${nameOf(server)}`;
      if (exitCode !== 0) throw dockerFailure({ what, exitCode, output: `${stdout}${stderr}` });
      const [, tables, rows, files] = /equal (\d+) (\d+) (\d+)\s*$/.exec(stdout) ?? [];
      step.summarize(`equal: ${tables} tables with ${rows} rows, ${files} files`);
    },

    /** Asks the client on its own port, past nginx. */
    async checkFromInside(thing: ClientThing, step: StepContext): Promise<void> {
      const { names } = thing;
      const { server, target } = await openHost(names.serverId, step);
      const { healthPath } = loadProfile(names.product);
      const script = sh`${ASK_HTTP}
ask_http ${names.port} ${healthPath} ${names.hostname}`;
      const { stdout } = await ssh.runOk(target, script, { signal: step.signal });
      if (/^HTTP\/1\.[01] [23]/.test(stdout)) return;
      const answer = stdout.trim() === '' ? 'does not answer' : `answers ${stdout.trim()}`;
      throw failure('Unavailable', `${healthPath} of ${names.name} on ${nameOf(server)} ${answer}`);
    },

    /** Ends what the step has running on the server, and removes what the operation has laid down there. */
    async clearMove(
      { names, movedOnly = false }: Pick<ClientThing, 'names'> & { movedOnly?: boolean },
      step: StepContext,
    ): Promise<void> {
      const host = await openHost(names.serverId, step);
      const operation = step.undo?.of ?? step.operation;
      if (step.phase === 'undo') await ssh.endJobs(host.target, step, endContainer(host, step));
      const made = backupPath(host.server, names, { operation, try: 1 });
      const own = movedOnly ? sh`${made}*${MOVED}` : sh`${made}*`;
      const script = sh`rm -rf -- ${workspaceOf(host.server, operation)} ${own}`;
      const what = `removing what the operation has laid down on ${nameOf(host.server)}`;
      await ssh.runOk(host.target, script, { fence: step, what, timeoutMs: CLEAR_TIMEOUT_MS });
    },
  };

  async function readText({ server, target }: Host, file: string, { signal }: StepContext): Promise<string> {
    const { exitCode, stdout, stderr } = await ssh.run(target, sh`cat -- ${file}`, { signal });
    if (exitCode === 0) return stdout;
    throw failure('CommandFailed', `${file} on ${nameOf(server)} cannot be read: ${stderr.trim()}`);
  }

  async function listDump(
    { server, target }: Host,
    path: string,
    { signal }: StepContext,
  ): Promise<string[]> {
    const script = sh`cd -- ${path} && find . -maxdepth 1 -type f -printf '%f\n'`;
    const { stdout } = await ssh.runOk(target, script, { signal, what: 'listing the dump' });
    const there = stdout.split('\n');
    const files = DUMP_FILES.filter((file) => there.includes(file));
    const whole = there.includes('files.tar.gz') && there.some((file) => file.startsWith('database.'));
    if (whole) return [...files];
    throw failure('CommandFailed', `the dump in ${path} on ${nameOf(server)} is not whole`, {
      hint: "are the client's database and directory still there? then retry",
    });
  }
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

/** A one-off container that bears a job's key would go on without its job. */
function endContainer({ facts }: Host, step: StepContext) {
  return removeFound(facts.docker, [
    '--filter',
    `name=^/?${effectKey(step).toLowerCase()}-[0-9]+(-restore)?$`,
  ]);
}
