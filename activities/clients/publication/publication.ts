import { isIP } from 'node:net';
import type { ClientNames, ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { acmeRootOf, certificateFiles } from '../certificate-files.js';
import type { Client, Connections } from '../connections.js';
import type { Server } from '../../hosts/connections.js';
import type { HostScript } from '../../hosts/host.js';
import { loadProfile } from '../product/profile.js';
import { hostFacts } from '../../hosts/host-facts.js';
import type { Publication } from '../../nginx/swap.js';
import { swapFailure } from '../../nginx/swap-failures.js';
import { renderVhost, type VhostInput, type VhostVariant } from './vhost.js';
import { vhostMarker } from '../vhost-marker.js';

/** Time for the lock on the host, two tests, a reload and the question behind it. */
const SWAP_TIMEOUT_MS = 60_000;

/** How a swap of the client's file is run, and what its exits mean. */
export function swapping(server: Server, { vhostFile: file }: Pick<ClientNames, 'vhostFile'>): HostScript {
  return {
    timeoutMs: SWAP_TIMEOUT_MS,
    failed: ({ exitCode, output: stderr }) => swapFailure({ exitCode, stderr }, { server, file }),
  };
}

interface PublicationInput {
  thing: ClientThing;
  server: Server;
  client: Client;
  variant: VhostVariant;
}

/** What nginx must answer for the variant on the health path. */
const EXPECTED: Record<VhostVariant['kind'], string> = {
  live: '^[23]',
  maintenance: '^503',
  redirect: '^308',
  proxy: '^[23]',
};

/** What a swap publishes, and the texts that it takes on standard input. */
export async function publicationOf(
  connections: Connections,
  { thing, server, client, variant }: PublicationInput,
  { signal }: Pick<StepContext, 'signal'>,
) {
  const { names, operation } = thing;
  const { clientId: id, serverId, hostname } = names;
  const facts = await hostFacts(connections, server, { signal, needs: ['nginx'] });
  const former = await connections.clients.formerHosts({ id, serverId, hostname });
  const checkAddresses = connections.checkAddresses.length > 0 ? connections.checkAddresses : [facts.peer];
  const profile = loadProfile(names.product);
  const input: VhostInput = {
    profile,
    variant,
    name: names.name,
    operation,
    hostname,
    port: names.port,
    allowedIps: client.allowedIps,
    // the host itself asks too, once the new file is in
    checkAddresses: [...checkAddresses, '127.0.0.1'],
    trustedProxies: former.filter((host) => isIP(host) !== 0),
    ipv6: facts.ipv6,
    ...(server.tls === 'auto' ? { acmeRoot: acmeRootOf(server) } : {}),
  };
  const plain = renderVhost(input);
  const tls = certificateFiles(server, hostname);
  const withTls = tls === undefined ? '' : renderVhost({ ...input, tls });
  const publication: Publication = {
    path: names.vhostFile,
    marker: vhostMarker({ operation, name: names.name }),
    nginx: facts.nginx,
    hostname,
    path80: profile.healthPath,
    expected: EXPECTED[variant.kind],
    plainBytes: Buffer.byteLength(plain),
    ...(tls === undefined ? {} : { tls: { ...tls, bytes: Buffer.byteLength(withTls) } }),
  };
  return { publication, texts: [plain, withTls] };
}
