import type { RebootActivities } from '../../activities/servers/reboot.js';
import type { RebootResult, ServerParams } from '../contract/servers/server-work.js';
import { SERVER_KINDS } from '../contract/servers/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const servers = acts<RebootActivities>('servers');

/** Forward-only: a host that is going down cannot be called back. `docs/contract/servers.md`, Servers. */
export async function rebootServer(input: OperationInput<ServerParams>): Promise<RebootResult> {
  return runOperation(SERVER_KINDS.reboot_server, input, async (op) => {
    const { serverId } = op.params;
    const former = await op.check('ready', {
      title: 'Check the right to reboot',
      do: servers.surveyReboot({ serverId }),
    });

    op.commit();
    const { bootId } = await op.step('reboot', {
      title: 'Reboot, and wait until it is back',
      do: servers.rebootHost({ serverId, formerBootId: former.bootId }),
      planned: { bootId: '' },
      within: '1 hour',
    });
    const start = await op.step('start', {
      title: 'Start what should run',
      do: servers.startClients({ serverId }),
      planned: { started: 0 },
      skippable: true,
      within: '30 minutes',
    });
    const clients = await op.step('check', {
      title: 'Check every client over HTTP',
      do: servers.checkClients({ serverId }),
      planned: [],
      within: '30 minutes',
    });
    for (const { hostname, ok, status } of clients)
      if (!ok) op.warn('check', `${hostname} ${status === null ? 'does not answer' : `answers ${status}`}`);
    return { bootId, started: start?.started ?? 0, clients };
  });
}
