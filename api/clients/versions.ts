import { type ClientRow, lockClient } from '../../db/queries/clients.js';
import type { Tx } from '../../db/database.js';
import type { MigrateClientParams, SwitchClientParams } from '../../workflows/contract/clients/clients.js';
import type { Rehearsal } from '../../workflows/contract/clients/rehearsal.js';
import { compareVersions, splitImage } from '../../workflows/contract/clients/versions.js';
import type { StartedBy } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import { VERSION_TAG } from '../http/fields.js';
import type { Planned } from '../operations/plan.js';
import { type Started, startOperation } from '../operations/start.js';
import { Problem } from '../http/problem.js';
import { invalidInput } from '../http/router.js';
import { requireClean } from './create.js';
import { noClient } from './read.js';
import { rehearsalOf } from './rehearsal.js';
import { isPresent } from '../../workflows/contract/clients/statuses.js';

interface ChangeRequest extends StartedBy {
  id: number;
  /** absent: as the server says */
  rehearse?: Rehearsal;
}

interface SwitchRequest extends ChangeRequest {
  /** a tag, or `<image>:<tag>` of the client's own image */
  image: string;
  force: boolean;
  /** what the caller names it by */
  field: string;
}

/** 404, 409 for a client that is not there to be changed, 422 for another image or a lower version without `force`. */
export function switchClient(deps: RouteDeps, request: SwitchRequest): Promise<Started | Planned> {
  const { id, caller, options, force } = request;
  return startOperation<SwitchClientParams>(
    { ...deps },
    {
      kind: 'switch_client',
      caller,
      options,
      async prepare(tx) {
        const client = await lockChangeable(tx, id);
        const versionTag = requireVersion(client, request);
        const params = { clientId: id, serverId: client.serverId, versionTag, force };
        const { backupKeepDays: keepDays } = deps.settings;
        return { named: client.subdomain, params: { ...params, keepDays, ...rehearsalOf(request) } };
      },
    },
  );
}

/** The migrations of the present version; refused like a switch. */
export function migrateClient(
  deps: RouteDeps,
  { id, caller, options, ...request }: ChangeRequest,
): Promise<Started | Planned> {
  return startOperation<MigrateClientParams>(
    { ...deps },
    {
      kind: 'migrate_client',
      caller,
      options,
      async prepare(tx) {
        const client = await lockChangeable(tx, id);
        const keepDays = deps.settings.backupKeepDays;
        const params = { clientId: id, serverId: client.serverId, keepDays };
        return { named: client.subdomain, params: { ...params, ...rehearsalOf(request) } };
      },
    },
  );
}

/** One whose environment is not there, or on its way, has no version to change. */
async function lockChangeable(tx: Tx, id: number): Promise<ClientRow> {
  const client = await lockClient(tx, id);
  if (client === undefined) throw noClient(id);
  if (!isPresent(client.status) || client.names === null)
    throw new Problem('wrong_status', { detail: `Client ${id} is ${client.status}` });
  await requireClean(tx, id);
  return client;
}

function requireVersion(client: ClientRow, { image, force, field }: SwitchRequest): string {
  const refuse = (message: string) => invalidInput([{ field, message }]);
  const [own] = splitImage(client.names?.image ?? '');
  const [repository, tag] = image.includes(':') ? splitImage(image) : [own, image];
  if (repository !== own) throw refuse(`must be a tag of ${own}, or ${own}:<tag>`);
  if (!VERSION_TAG.test(tag)) throw refuse('must be a version tag such as 1.3-master');
  if (!force && compareVersions(tag, client.versionTag) < 0)
    throw refuse(`is lower than ${client.versionTag}: with force=true it is switched to, without migrations`);
  return tag;
}
