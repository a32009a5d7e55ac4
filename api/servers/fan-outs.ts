import { shareServer } from '../../db/queries/servers.js';
import type {
  ReconfigurateParams,
  RehearsedFanOutParams,
  SwitchAllParams,
} from '../../workflows/contract/servers/fleet.js';
import type { StartedBy } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Planned } from '../operations/plan.js';
import { type Started, startOperation } from '../operations/start.js';
import { Problem } from '../http/problem.js';

/** Starts what is done to every client of one server; 404 for an unknown one. */
export function startOnServer(
  deps: RouteDeps,
  kind: 'switch_all' | 'migrate_all' | 'deploy_server',
  { caller, options, params }: StartedBy & { params: RehearsedFanOutParams | SwitchAllParams },
): Promise<Started | Planned> {
  const { serverId } = params;
  return startOperation<RehearsedFanOutParams | SwitchAllParams>(deps, {
    kind,
    caller,
    options,
    async prepare(tx) {
      const server = await shareServer(tx, serverId);
      if (server === undefined) throw new Problem('not_found', { detail: `There is no server ${serverId}` });
      return {
        params,
        named: server.name,
      };
    },
  });
}

/** Starts `git pull` and fresh configurations everywhere. */
export function startReconfigurate(
  deps: RouteDeps,
  { caller, options, params }: StartedBy & { params: ReconfigurateParams },
): Promise<Started | Planned> {
  return startOperation<ReconfigurateParams>(deps, {
    kind: 'reconfigurate',
    caller,
    options,
    prepare: async () => ({
      params,
    }),
  });
}
