import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { databaseOf, spareOf } from '../../../workflows/contract/clients/databases.js';
import type { Rehearsal } from '../../../workflows/contract/clients/rehearsal.js';
import { failure, kindOf } from '../../../workflows/contract/operation/failures.js';
import { jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import { dockerFailure } from '../../docker/docker-errors.js';
import { rootContainer } from '../../docker/root-container.js';
import type { FailedExit, Host } from '../../hosts/host.js';
import { type Script, sh } from '../../ssh/shell.js';
import { endTries } from '../commands/run-command.js';
import type { Connections } from '../connections.js';
import { giveEnvGroup, PUT_FILE, putFile } from '../containers/client-files.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { CLIENT_FILES } from '../containers/compose-file.js';
import { withSession } from '../database/session.js';
import { blanksFor, renderEnvFile } from '../product/env-file.js';
import { environmentNaming, loadProfile, type ProductProfile } from '../product/profile.js';
import { chooseFrom, roomScript } from './choice.js';
import { closeNetworkScript, openNetworkScript, rehearsalNetworks, runInNetwork } from './network.js';

export type RehearsalActivities = ReturnType<typeof createRehearsalActivities>;

/** As long as the migration itself may take. */
const MIGRATE_TIMEOUT_MS = 2 * 3_600_000;

/** A change of version tried on a copy of the client's data, where nothing of it can be seen from outside. */
export function createRehearsalActivities(connections: Connections) {
  const hosts = createClientHosts(connections);

  /** Everything that a rehearsal has made but the database. */
  async function close(host: Host, thing: ClientThing, step: StepContext): Promise<void> {
    const { names } = thing;
    await hosts.run(host, step, closeNetworkScript(thing, host.facts.docker), {
      what: `removing the rehearsal of ${names.name}`,
    });
    const networks = rehearsalNetworks(host.server.clientPool, names.clientId);
    await withSession(connections, names, step, (session) =>
      session.dismiss({ name: names.name, subnets: networks.filter((one) => one !== names.subnet) }),
    );
  }

  return {
    /** Changes nothing. `wanted`: of the request; absent: as the server says. `CapacityExceeded` without room for a copy. */
    chooseRehearsal: async (
      { wanted, migrates, names }: ClientThing & { wanted?: Rehearsal; migrates: boolean },
      step: StepContext,
    ): Promise<{ mode: Rehearsal; because: string }> => {
      const { sizeBytes, directory } = await withSession(connections, names, step, (session) =>
        session.measure(databaseOf(names)),
      );
      const host = await hosts.reach(names.serverId);
      const { stdout } = await hosts.look(host, step, roomScript({ ...host.server, directory }));
      const [free = '', unreached = ''] = stdout.split('\n');
      const chosen = chooseFrom({
        ...{ wanted: wanted ?? host.server.rehearse, migrates, sizeBytes, unreached },
        networks: rehearsalNetworks(host.server.clientPool, names.clientId).length,
        ...(free === '' ? {} : { freeBytes: Number(free) }),
      });
      step.summarize(`${chosen.mode}: ${chosen.because}`);
      return chosen;
    },

    /**
     * The migrations of the image of `names` on the second database: in a container that reaches its own host and
     * nothing beyond, with an `.env` that sends nothing. `CommandFailed` with its output; the client's own data and files
     * are as they were.
     */
    rehearseMigration: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const { names } = thing;
      const host = await hosts.open(names.serverId, step);
      const { server, facts } = host;
      const profile = loadProfile(names.product);
      const current = await hosts.readText(host, `${names.directory}/${CLIENT_FILES.env}`, step);
      const networks = rehearsalNetworks(server.clientPool, names.clientId);
      const opened = await hosts.run(
        host,
        step,
        openNetworkScript(thing, { docker: facts.docker, networks }),
      );
      const subnet = opened.stdout.trim();
      const database = spareOf(names);
      const password = await connections.secrets.reveal(names.secrets.databasePassword);
      await withSession(connections, names, step, (session) =>
        session.admit({
          ...{ name: names.name, database, subnet, password },
          operation: thing.operation,
        }),
      );
      const env = rehearsalEnv(profile, { database, current, gateway: gatewayOf(subnet) });
      await hosts.runJob(host, step, {
        script: rehearsalScript({ thing, host, step, profile, env }),
        input: env,
        timeoutMs: MIGRATE_TIMEOUT_MS,
        onEnd: endTries(step, facts),
        failed: rehearsalFailure,
      });
      await close(host, thing, step);
    },

    /** Undo of `rehearseMigration`; nothing there is success. */
    endRehearsal: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const host = await hosts.open(thing.names.serverId, step);
      await hosts.endJobs(host, step, endTries(step, host.facts));
      await close(host, thing, step);
    },
  };
}

/** Docker gives a bridge's first address to the host. */
function gatewayOf(subnet: string): string {
  return subnet.replace(/\d+\/\d+$/, (last) => String(Number.parseInt(last, 10) + 1));
}

/** The client's own, with the copy as its database, where it is reached from there, and no way to send anything. */
export function rehearsalEnv(
  profile: ProductProfile,
  { database, current, gateway }: { database: string; current: string; gateway: string },
): string {
  const values = {
    ...environmentNaming(profile, { database, sqlHost: gateway }),
    ...blanksFor(profile.copy.blankEnv, [current]),
  };
  return renderEnvFile({ example: current, current, values });
}

function rehearsalScript({
  thing,
  host: { facts },
  step,
  profile,
  env,
}: {
  thing: ClientThing;
  host: Host;
  step: StepContext;
  profile: ProductProfile;
  env: string;
}): Script {
  const { names } = thing;
  const { docker } = facts;
  const { mounts, commands } = profile;
  const own = `${names.directory}/`;
  const volumes = [
    `${own}${CLIENT_FILES.public}:${mounts.public}:ro`,
    ...(mounts.phpIni === undefined ? [] : [`${own}${CLIENT_FILES.phpIni}:${mounts.phpIni}:ro`]),
  ];
  return sh`
${endTries(step, facts)}
umask 077
work=\${0%/*}/rehearsal
trap 'rm -rf -- "$work"' EXIT
mkdir -p -- "$work"
cd -- "$work"
${PUT_FILE}
${putFile({ path: CLIENT_FILES.env, mode: '640', content: env })}
${rootContainer(docker, names)}
${giveEnvGroup(profile.envGid)}
${runInNetwork({ thing, docker, name: jobKey(step), volumes, run: commands.migrate.run, env: mounts.env })}`;
}

/** What the product says is not Docker's, and then the client has lost nothing. */
function rehearsalFailure(exit: FailedExit): Error | undefined {
  const error = dockerFailure(exit);
  if (kindOf(error) !== 'CommandFailed') return undefined;
  return failure('CommandFailed', error.message, {
    hint: 'the client serves on and its data are as they were; rehearse=restore goes without the migration',
  });
}
