import type { CertificateActivities } from '../../activities/certificates/activities.js';
import type { NginxActivities } from '../../activities/nginx/activities.js';
import type { ClientThing } from '../contract/clients.js';
import { acts } from '../operation/acts.js';
import type { Operation } from '../operation/operation.js';

const certificates = acts<CertificateActivities>();
const nginx = acts<NginxActivities>();

/**
 * Steps from plain HTTP to TLS: the certificate, the virtual host that names it once it is there, and a look at what is
 * served. `soft`: a failure is a warning, and the client stays as it is. Answers whether it is served over TLS.
 */
export async function secureClient(
  op: Pick<Operation<unknown>, 'step'>,
  client: ClientThing,
  { soft }: { soft: boolean },
): Promise<boolean> {
  const onFail = soft ? ({ onFail: 'warn' } as const) : {};
  const target = client.names.hostname;
  const issued: { issued: true } | undefined = await op.step('certificate', {
    title: 'Get a certificate',
    target,
    do: certificates.issueCertificate(client),
    planned: { issued: true },
    within: '10 minutes',
    ...onFail,
  });
  if (issued === undefined) return false;
  await op.step('https', {
    title: 'Publish over TLS',
    target: client.names.vhostFile,
    do: nginx.publishVhost({ ...client, variant: 'live' }),
    ...onFail,
  });
  const served: { expiresAt: string } | undefined = await op.step('served', {
    title: 'Look at the certificate that is served',
    target,
    do: certificates.checkCertificate(client),
    planned: { expiresAt: '' },
    ...onFail,
  });
  return served !== undefined;
}
