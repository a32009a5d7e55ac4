import type { CertificateActivities } from '../../activities/clients/certificates/activities.js';
import type { DockerActivities } from '../../activities/clients/containers/activities.js';
import type { NginxActivities } from '../../activities/clients/publication/activities.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import type { ThingToRemove } from '../contract/clients/clients.js';
import { acts } from '../operation/acts.js';
import type { Operation } from '../operation/story.js';

const sql = acts<SqlActivities>('clients');
const certificates = acts<CertificateActivities>('clients');
const docker = acts<DockerActivities>('clients');
const nginx = acts<NginxActivities>('clients');

interface RemoveOptions {
  /** put behind each step's key; absent: the step's own name */
  suffix?: string;
  /** once nothing of it runs any more, and before anything else goes */
  archive?(): Promise<void>;
}

/** Everything of a client on its server, each step skippable, so that a dead server does not keep it for ever. */
export async function removeThing(
  op: Pick<Operation<unknown>, 'step'>,
  { names, operation, certificate }: ThingToRemove,
  { suffix = '', archive }: RemoveOptions = {},
): Promise<void> {
  const thing = { names, operation };
  await op.step(`vhost${suffix}`, {
    title: 'Take it off nginx',
    target: names.vhostFile,
    do: nginx.removeVhost(thing),
    skippable: true,
  });
  if (certificate === true) {
    await op.step(`certificate${suffix}`, {
      title: 'Remove the certificate',
      target: names.hostname,
      do: certificates.removeCertificate(thing),
      skippable: true,
    });
  }
  await op.step(`containers${suffix}`, {
    title: 'Remove containers',
    target: names.name,
    do: docker.removeContainers(thing),
    skippable: true,
  });
  await archive?.();
  await op.step(`files${suffix}`, {
    title: 'Remove files',
    target: names.directory,
    do: docker.removeClientFiles(thing),
    skippable: true,
  });
  await op.step(`database${suffix}`, {
    title: 'Drop database and user',
    target: names.name,
    do: sql.dropDatabase(thing),
    skippable: true,
  });
}
