import type { FleetRecords } from '../../activities/servers/fleet.js';
import type { FanOutRules } from '../contract/operation/fan-out.js';
import type { ReconfigurateParams, ReconfigurateResult } from '../contract/servers/fleet.js';
import { SERVER_KINDS } from '../contract/servers/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { rulesOf } from '../contract/servers/rules.js';

const fleet = acts<FleetRecords>('servers');

/** A pull is light, and each server bounds its own clients; this bounds what the worker has open at a time. */
const SERVERS_AT_ONCE = 10;

/** `git pull` on every server, then every client's `.env` anew: each server is an operation of its own. */
export async function reconfigurate(
  input: OperationInput<ReconfigurateParams>,
): Promise<ReconfigurateResult> {
  return runOperation(SERVER_KINDS.reconfigurate, input, async (op) => {
    const rules = rulesOf(op.params.rules);
    const result = await op.fanOut('servers', {
      title: 'Reconfigurate every server',
      list: fleet.listServersToReconfigurate({ rules }),
      of: SERVER_KINDS.reconfigurate_server,
      rules: { ...rules, window: SERVERS_AT_ONCE } satisfies FanOutRules,
    });
    const outcome = await op.step('count', {
      title: 'Count what changed',
      do: fleet.listServerOutcomes({}),
      planned: { changed: 0, servers: [] },
    });
    return { ...result, ...outcome };
  });
}
