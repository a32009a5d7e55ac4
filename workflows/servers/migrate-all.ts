import type { FleetRecords } from '../../activities/servers/fleet.js';
import type { FanOutResult } from '../contract/operation/fan-out.js';
import type { ServerFanOutParams } from '../contract/servers/fleet.js';
import { subjectId } from '../contract/operation/ids.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { requireId } from '../clients/params.js';
import { rulesOf } from '../fleet/rules.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const fleet = acts<FleetRecords>();

const definition = {
  kind: 'migrate_all',
  subject: ({ serverId }: ServerFanOutParams) => subjectId('server', serverId),
  title: ({ serverId }: ServerFanOutParams) => `Migrate all clients of server ${serverId}`,
  attributes: ({ serverId }: ServerFanOutParams) => ({ ServerId: String(serverId) }),
  validate({ serverId, rules }: ServerFanOutParams) {
    requireId('serverId', serverId);
    rulesOf(rules);
  },
};

/** The product's migrations for every client of a server, some at a time; each rolls back by itself. */
export async function migrateAll(input: OperationInput<ServerFanOutParams>): Promise<FanOutResult> {
  return runOperation(definition, input, (op) =>
    op.fanOut('clients', {
      title: 'Migrate databases',
      list: fleet.listClientsToMigrate({ serverId: op.params.serverId }),
      workflow: 'migrateClient',
      kind: 'migrate_client',
      rules: rulesOf(op.params.rules),
    }),
  );
}
