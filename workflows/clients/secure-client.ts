import type {
  CertificateActivities,
  IssuedCertificate,
} from '../../activities/clients/certificates/activities.js';
import type { NginxActivities } from '../../activities/clients/publication/activities.js';
import type { ClientThing } from '../contract/clients/clients.js';
import { acts } from '../operation/acts.js';
import type { Operation } from '../operation/story.js';

const certificates = acts<CertificateActivities>('clients');
const nginx = acts<NginxActivities>('clients');

/**
 * Steps from plain HTTP to TLS: the certificate, the virtual host that names it once it is there, the vhosts of former
 * servers that lead there, and a look at what is served. `soft`: a failure is a warning, and the client stays as it is.
 * Answers whether it is served over TLS.
 */
export async function secureClient(
  op: Pick<Operation<unknown>, 'step'>,
  client: ClientThing,
  { soft }: { soft: boolean },
): Promise<boolean> {
  const onFail = soft ? ({ onFail: 'warn' } as const) : {};
  const target = client.names.hostname;
  const issued: IssuedCertificate | undefined = await op.step('certificate', {
    title: 'Get a certificate',
    target,
    do: certificates.issueCertificate(client),
    planned: { kept: [] },
    within: '10 minutes',
    ...onFail,
  });
  if (issued === undefined) return false;
  const published: { secured: true } | undefined = await op.step('https', {
    title: 'Publish over TLS',
    target: client.names.vhostFile,
    do: nginx.secureVhost(client),
    planned: { secured: true },
    ...onFail,
  });
  if (published === undefined) return false;
  for (const source of issued.kept) {
    await op.step(`lead-${source.names.serverId}`, {
      title: 'Lead visitors of its former server there over TLS',
      target: source.names.vhostFile,
      // passed on over http they would be sent to https again, and so round for ever
      do: nginx.publishVhost({ ...source, variant: 'moved', movedTo: { ...client.names, secured: true } }),
      ...onFail,
    });
  }
  const served: { expiresAt: string } | undefined = await op.step('served', {
    title: 'Look at the certificate that is served',
    target,
    do: certificates.checkCertificate(client),
    planned: { expiresAt: '' },
    ...onFail,
  });
  return served !== undefined;
}
