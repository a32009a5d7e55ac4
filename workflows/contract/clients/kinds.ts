import { defineKinds, type KindRow, type OwnOfKind } from '../operation/definition.js';
import { failure } from '../operation/failures.js';
import { subjectId } from '../operation/ids.js';
import { requireFlag, requireId } from '../operation/params.js';
import type {
  CopyClientParams,
  CreateClientParams,
  DeleteClientParams,
  MailClientParams,
  MigrateClientParams,
  MoveClientParams,
  RebootClientParams,
  RefreshClientParams,
  RemoveKeptSourceParams,
  SetAdminPasswordParams,
  SetDemoParams,
  SetExpireDateParams,
  SetMaintenanceParams,
  SwitchClientParams,
  UpdateClientParams,
} from './clients.js';
import type { LockClientParams, NotifyExpiryParams } from './licenses.js';
import { requireRehearsal } from './rehearsal.js';
import { TAG } from './versions.js';

/** Parameters of an operation on one client that need nothing else. */
export interface OnClient {
  clientId: number;
  serverId: number;
}

/** An operation on one client that works on its server and may leave jobs there. */
function onClient<Params extends OnClient>(own: OwnOfKind<Params>): KindRow<Params> {
  return {
    subject: ({ clientId }) => subjectId('client', clientId),
    attributes: ({ clientId, serverId }) => ({ ClientId: String(clientId), ServerId: String(serverId) }),
    places: ({ serverId }) => [subjectId('server', serverId)],
    admission: () => 'shared',
    leavesJobs: true,
    ...own,
    validate(params) {
      requireId('clientId', params.clientId);
      requireId('serverId', params.serverId);
      own.validate?.(params);
    },
  };
}

/** One that touches no server. */
function ofClient<Params extends { clientId: number }>(own: OwnOfKind<Params>): KindRow<Params> {
  return {
    subject: ({ clientId }) => subjectId('client', clientId),
    attributes: ({ clientId }) => ({ ClientId: String(clientId) }),
    ...own,
    validate(params) {
      requireId('clientId', params.clientId);
      own.validate?.(params);
    },
  };
}

const TEMPLATES = ['send_success', 'send_expire'];

/** Everything that can be done with one client. */
export const CLIENT_KINDS = defineKinds({
  create_client: onClient<CreateClientParams>({
    workflow: 'createClient',
    title: ({ clientId, serverId }) => `Create client ${clientId} on server ${serverId}`,
    validate({ restoreFrom }) {
      if (restoreFrom !== undefined && typeof restoreFrom !== 'string')
        throw failure('InvalidInput', '"restoreFrom" must be the directory of a backup');
    },
  }),
  delete_client: onClient<DeleteClientParams>({
    workflow: 'deleteClient',
    cleaning: true,
    title: ({ clientId }) => `Delete client ${clientId}`,
    places: ({ serverId, keptOn = [] }) => serversAt(serverId, ...keptOn),
  }),
  set_admin_password: onClient<SetAdminPasswordParams>({
    workflow: 'setAdminPassword',
    title: ({ clientId }) => `Set the administrator's password of client ${clientId}`,
    validate({ password }) {
      if (typeof password !== 'string')
        throw failure('InvalidInput', '"password" must be the id of a stored secret');
    },
  }),
  refresh_client: onClient<RefreshClientParams>({
    workflow: 'refreshClient',
    title: ({ clientId }) => `Refresh the configuration of client ${clientId}`,
  }),
  update_client: onClient<UpdateClientParams>({
    workflow: 'updateClient',
    title: ({ clientId }) => `Update client ${clientId}`,
    validate({ fields }) {
      if (Array.isArray(fields) && fields.every((field) => typeof field === 'string')) return;
      throw failure('InvalidInput', '"fields" must list what is changed');
    },
  }),
  set_expire_date: onClient<SetExpireDateParams>({
    workflow: 'setExpireDate',
    title: ({ clientId }) => `Set the licence end of client ${clientId}`,
  }),
  set_demo: onClient<SetDemoParams>({
    workflow: 'setDemo',
    title: ({ clientId, enabled }) => `${enabled ? 'Enable' : 'Disable'} the demo data of client ${clientId}`,
    validate: ({ enabled }) => requireFlag('enabled', enabled),
  }),
  set_maintenance: onClient<SetMaintenanceParams>({
    workflow: 'setMaintenance',
    title: ({ clientId, on }) => `Turn the maintenance page of client ${clientId} ${on ? 'on' : 'off'}`,
    validate: ({ on }) => requireFlag('on', on),
  }),
  reboot_client: onClient<RebootClientParams>({
    workflow: 'rebootClient',
    title: ({ clientId }) => `Restart the containers of client ${clientId}`,
  }),
  pause_client: onClient<OnClient>({
    workflow: 'pauseClient',
    title: ({ clientId }) => `Pause client ${clientId}`,
  }),
  resume_client: onClient<OnClient>({
    workflow: 'resumeClient',
    title: ({ clientId }) => `Resume client ${clientId}`,
  }),
  mail_client: ofClient<MailClientParams>({
    workflow: 'mailClient',
    title: ({ clientId, template }) => `Mail ${template} to client ${clientId}`,
    attributes: ({ clientId, serverId }) => ({ ClientId: String(clientId), ServerId: String(serverId) }),
    places: ({ serverId }) => serversAt(serverId),
    validate({ template }) {
      if (!TEMPLATES.includes(template))
        throw failure('InvalidInput', `"template" must be one of ${TEMPLATES.join(', ')}`);
    },
  }),
  move_client: onClient<MoveClientParams>({
    workflow: 'moveClient',
    title: ({ clientId, targetServerId }) => `Move client ${clientId} to server ${targetServerId}`,
    places: ({ serverId, targetServerId }) => serversAt(serverId, targetServerId),
    validate({ serverId, targetServerId, keepDays }) {
      requireId('targetServerId', targetServerId);
      requireId('keepDays', keepDays);
      if (serverId === targetServerId)
        throw failure('InvalidInput', '"targetServerId" is where the client is');
    },
  }),
  copy_client: onClient<CopyClientParams>({
    workflow: 'copyClient',
    title: ({ clientId, sourceId }) => `Copy client ${sourceId} into client ${clientId}`,
    borrows: ({ sourceId }) => [subjectId('client', sourceId)],
    places: ({ serverId, sourceServerId }) => serversAt(serverId, sourceServerId),
    validate({ clientId, sourceId, sourceServerId, keepDays }) {
      for (const [field, value] of Object.entries({ sourceId, sourceServerId, keepDays }))
        requireId(field, value);
      if (clientId === sourceId) throw failure('InvalidInput', '"sourceId" is the client itself');
    },
  }),
  remove_kept_source: onClient<RemoveKeptSourceParams>({
    workflow: 'removeKeptSource',
    title: ({ clientId, serverId }) =>
      `Remove the former source of client ${clientId} from server ${serverId}`,
  }),
  switch_client: onClient<SwitchClientParams>({
    workflow: 'switchClient',
    title: ({ clientId, versionTag }) => `Switch client ${clientId} to ${versionTag}`,
    validate({ versionTag, force, keepDays, rehearse }) {
      if (keepDays !== undefined) requireId('keepDays', keepDays);
      requireRehearsal(rehearse);
      if (typeof versionTag !== 'string' || !TAG.test(versionTag))
        throw failure('InvalidInput', '"versionTag" must be the tag of an image');
      requireFlag('force', force);
    },
  }),
  migrate_client: onClient<MigrateClientParams>({
    workflow: 'migrateClient',
    title: ({ clientId }) => `Migrate client ${clientId}`,
    validate({ keepDays, rehearse }) {
      if (keepDays !== undefined) requireId('keepDays', keepDays);
      requireRehearsal(rehearse);
    },
  }),
  issue_certificate: onClient<LockClientParams>({
    workflow: 'issueCertificate',
    title: ({ clientId }) => `Get a certificate for client ${clientId}`,
  }),
  lock_client: onClient<LockClientParams>({
    workflow: 'lockClient',
    leavesJobs: false,
    title: ({ clientId }) => `Lock client ${clientId}, whose licence has ended`,
  }),
  unlock_client: onClient<LockClientParams>({
    workflow: 'unlockClient',
    leavesJobs: false,
    title: ({ clientId }) => `Unlock client ${clientId}, whose licence goes on`,
  }),
  notify_expiry: ofClient<NotifyExpiryParams>({
    workflow: 'notifyExpiry',
    title: ({ clientId, days }) =>
      `Tell client ${clientId} that its licence ends (${days === 0 ? 'on its day' : `${days} days before`})`,
    validate({ licenseEnd, days }) {
      if (typeof licenseEnd !== 'string' || Number.isNaN(Date.parse(licenseEnd)))
        throw failure('InvalidInput', '"licenseEnd" must be a moment such as 2031-01-31T00:00:00.000Z');
      if (!Number.isInteger(days) || days < 0)
        throw failure('InvalidInput', '"days" must be a number of days before the end');
    },
  }),
});

function serversAt(...ids: number[]): string[] {
  return [...new Set(ids)].map((id) => subjectId('server', id));
}
