import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { effectKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import type { Host } from '../../hosts/host.js';
import { type Script, sh } from '../../ssh/shell.js';
import type { Connections } from '../connections.js';
import { backupPath } from '../containers/backup.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { removeFound } from '../containers/containers.js';
import { MOVED, workspaceOf } from './workspace.js';

/** Removing a dump is quick, its files are few and large. */
const CLEAR_TIMEOUT_MS = 110_000;

export function createClearingActivities(connections: Connections) {
  const hosts = createClientHosts(connections);

  return {
    /** Ends what the step has running on the server, and removes what the operation has laid down there. */
    async clearMove(
      { names, movedOnly = false }: Pick<ClientThing, 'names'> & { movedOnly?: boolean },
      step: StepContext,
    ): Promise<void> {
      const host = await hosts.open(names.serverId, step);
      const operation = step.undo?.of ?? step.operation;
      if (step.phase === 'undo') await hosts.endJobs(host, step, endContainer(host, step));
      const made = backupPath(host.server, names, { operation, try: 1 });
      const own = movedOnly ? sh`${made}*${MOVED}` : sh`${made}*`;
      const script = sh`rm -rf -- ${workspaceOf(host.server, operation)} ${own}`;
      const what = 'removing what the operation has laid down';
      await hosts.run(host, step, script, { what, timeoutMs: CLEAR_TIMEOUT_MS });
    },
  };
}

/** A one-off container that bears a job's key would go on without its job. */
function endContainer({ facts }: Host, step: StepContext): Script {
  const key = effectKey(step).toLowerCase();
  return removeFound(facts.docker, ['--filter', `name=^/?${key}-[0-9]+(-restore)?$`]);
}
