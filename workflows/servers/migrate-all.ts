import type { FleetRecords } from '../../activities/servers/fleet.js';
import type { FanOutResult } from '../contract/operation/fan-out.js';
import type { RehearsedFanOutParams } from '../contract/servers/fleet.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import { SERVER_KINDS } from '../contract/servers/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { rulesOf } from '../contract/servers/rules.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const fleet = acts<FleetRecords>('servers');

/** The product's migrations for every client of a server, some at a time; each rolls back by itself. */
export async function migrateAll(input: OperationInput<RehearsedFanOutParams>): Promise<FanOutResult> {
  return runOperation(SERVER_KINDS.migrate_all, input, (op) => {
    const { rules, ...wish } = op.params;
    return op.fanOut('clients', {
      title: 'Migrate databases',
      list: fleet.listClientsToMigrate({ ...wish, canary: rulesOf(rules).canary }),
      of: CLIENT_KINDS.migrate_client,
      rules: rulesOf(rules),
    });
  });
}
