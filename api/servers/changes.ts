import { shareServer, type ServerRow } from '../../db/queries/servers.js';
import type { Tx } from '../../db/database.js';
import type { BuildImageParams, BuildMasterForAllParams } from '../../workflows/contract/servers/builds.js';
import type { ServerParams } from '../../workflows/contract/servers/server-work.js';
import { AUTO_VERSION } from '../../workflows/contract/clients/versions.js';
import type { StartedBy } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Planned } from '../operations/plan.js';
import { type Started, startOperation } from '../operations/start.js';
import { Problem } from '../http/problem.js';
import { requireServer, noServer } from './read.js';

async function heldServer(tx: Tx, serverId: number): Promise<ServerRow> {
  const row = await shareServer(tx, serverId);
  if (row === undefined) throw noServer(serverId);
  return row;
}

/** 409 `version_exists` for a version that is there, unless it is to be replaced. */
export async function buildImage(
  deps: RouteDeps,
  { caller, options, ...params }: StartedBy & BuildImageParams,
): Promise<Started | Planned> {
  const { serverId, version, existing } = params;
  await requireServer(deps, serverId);
  return startOperation<BuildImageParams>(deps, {
    kind: 'build_image',
    caller,
    options,
    look: async () => {
      if (version !== AUTO_VERSION && existing === 'refuse') await refuseExisting(deps, serverId, version);
    },
    async prepare(tx) {
      const { name } = await heldServer(tx, serverId);
      return { params, named: name };
    },
  });
}

/** A host that does not answer now is asked again by the operation's own check. */
async function refuseExisting({ probes }: RouteDeps, serverId: number, version: string): Promise<void> {
  const { images } = await probes.ask({ kind: 'images', serverId }).catch(nothingOf({ images: [] }));
  if (!images.some(({ tag }) => tag === version)) return;
  throw new Problem('version_exists', {
    detail: `Version ${version} is on server ${serverId} already; \`force=true\` builds it anew`,
  });
}

/** Only what a probe says of itself is passed over. */
function nothingOf<Value>(value: Value): (error: unknown) => Value {
  return (error) => {
    if (error instanceof Problem) return value;
    throw error;
  };
}

/** One build on each active server. */
export function buildMasterForAll(
  deps: RouteDeps,
  { caller, options, ...params }: StartedBy & BuildMasterForAllParams,
): Promise<Started | Planned> {
  return startOperation<BuildMasterForAllParams>(deps, {
    kind: 'build_master_for_all',
    caller,
    options,
    prepare: async () => ({
      params,
    }),
  });
}

/** `reboot_server` is 422 `cannot_reboot` where the host says that the SSH user has no right to. */
export async function workOnServer(
  deps: RouteDeps,
  kind: 'prune_server' | 'reboot_server',
  { serverId, caller, options }: StartedBy & { serverId: number },
): Promise<Started | Planned> {
  await requireServer(deps, serverId);
  return startOperation<ServerParams>(deps, {
    kind,
    caller,
    options,
    look: async () => {
      if (kind === 'reboot_server') await refuseWithoutRight(deps, serverId);
    },
    async prepare(tx) {
      const { name } = await heldServer(tx, serverId);
      return { params: { serverId }, named: name };
    },
  });
}

async function refuseWithoutRight({ probes }: RouteDeps, serverId: number): Promise<void> {
  const { allowed } = await probes
    .ask({ kind: 'reboot_right', serverId })
    .catch(nothingOf({ allowed: true }));
  if (allowed) return;
  throw new Problem('cannot_reboot', {
    detail: `The SSH user of server ${serverId} may not run /sbin/reboot through sudo without a password`,
    members: { hint: 'check_host prints the line that allows it (sudo_reboot)' },
  });
}
