import type { DockerActivities } from '../../activities/clients/containers/activities.js';
import type { MailActivities } from '../../activities/clients/mail/activities.js';
import type { NginxActivities } from '../../activities/clients/publication/activities.js';
import type { ProductActivities } from '../../activities/clients/commands/commands.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import { type CreateClientParams, ADMIN_PASSWORD_SIGNAL } from '../contract/clients/clients.js';
import { subjectId } from '../contract/operation/ids.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { collectSignals } from '../operation/signals.js';
import { secureClient } from './secure-client.js';

const records = acts<ClientRecords>('clients');
const sql = acts<SqlActivities>('clients');
const docker = acts<DockerActivities>('clients');
const product = acts<ProductActivities>('clients');
const nginx = acts<NginxActivities>('clients');
const mail = acts<MailActivities>('clients');

/**
 * A customer's environment on a Docker server: database, files, containers, data, vhost.
 * `docs/contract/clients.md`, Creating a client.
 */
export async function createClient(input: OperationInput<CreateClientParams>): Promise<{ url: string }> {
  const passwords = collectSignals<{ password: string }>(ADMIN_PASSWORD_SIGNAL, input);

  return runOperation(CLIENT_KINDS.create_client, input, async (op) => {
    const { clientId, restoreFrom } = op.params;
    const { names, passwordGiven, adminPassword, certificate } = await op.step('reserve', {
      title: 'Take a port and a network',
      do: records.reserveClient({ clientId }),
      undo: records.releaseClient({ clientId }),
      plannedBy: records.foreseeClient(op.params),
    });
    const client = { names, operation: op.id };
    const server = subjectId('server', names.serverId);

    await op.check('check-host', {
      title: 'Check the server',
      target: server,
      do: docker.surveyHost(client),
    });
    await op.check('check-database', {
      title: 'Check the SQL server',
      target: server,
      do: sql.surveyDatabase(client),
    });
    await op.step('database', {
      title: 'Create database and user',
      target: names.name,
      do: sql.ensureDatabase(client),
      undo: sql.removeDatabase(client),
    });
    await op.step('files', {
      title: 'Write configuration',
      target: names.directory,
      do: docker.writeClientFiles(client),
      undo: docker.removeClientFiles(client),
    });
    if (restoreFrom !== undefined) {
      await op.step('restore', {
        title: 'Restore database and uploads from a backup',
        target: restoreFrom,
        do: docker.restoreClient({ ...client, path: restoreFrom }),
        // a restore that still runs would make again what the other undos remove
        undo: docker.removeContainers(client),
        within: '6 hours',
      });
    }
    await op.step('container', {
      title: 'Start containers',
      target: names.image,
      do: docker.startContainers(client),
      undo: docker.removeContainers(client),
      within: '10 minutes',
    });
    await op.step('migrate', {
      title: 'Run migrations',
      do: product.migrateClient(client),
      within: '2 hours',
    });
    await op.step('base-data', {
      title: 'Write base data',
      do: product.createBaseData(client),
      within: '10 minutes',
    });
    await op.step('settings', {
      title: 'Write cloud settings',
      target: names.name,
      do: sql.writeCloudSettings(client),
    });
    await op.step('vhost', {
      title: 'Publish through nginx',
      target: names.vhostFile,
      do: nginx.publishVhost({ ...client, variant: 'live' }),
      undo: nginx.removeVhost(client),
    });
    await op.step('outside-check', {
      title: 'Check through nginx',
      target: names.hostname,
      do: nginx.checkFromOutside(client),
      skippable: true,
    });

    op.commit();
    await op.step('activate', { title: 'Record as active', do: records.activateClient({ clientId }) });
    const secured = certificate === true && (await secureClient(op, client, { soft: true }));
    let set = 0;
    const setPasswords = async () => {
      for (const { password } of passwords.slice(set)) {
        set += 1;
        await op.step(`admin-password-${set}`, {
          title: "Set the administrator's password",
          do: product.setAdminPassword({ ...client, password }),
          skippable: true,
        });
      }
    };
    await setPasswords();
    if (passwordGiven || passwords.length > 0) {
      await op.step('mail', {
        title: 'Tell the client',
        do: mail.sendClientMail({
          clientId,
          template: 'send_success',
          password: passwords[set - 1]?.password ?? adminPassword,
        }),
        onFail: 'warn',
      });
    }
    // one that came while the mail went out
    await setPasswords();
    return { url: `${secured ? 'https' : 'http'}://${names.hostname}/` };
  });
}
