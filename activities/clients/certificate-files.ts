import type { Server } from '../hosts/connections.js';

/** Where certbot keeps what it renews by itself. */
const LINEAGES = '/etc/letsencrypt/live';

/** Whether certbot is asked for a certificate of each client there; a wildcard needs none. */
export function asksForCertificates({ tls, tlsCert }: Pick<Server, 'tls' | 'tlsCert'>): boolean {
  return tls === 'auto' && tlsCert === null;
}

/** Directory on the server where certificate challenges are answered from. */
export function acmeRootOf({ baseDir }: Pick<Server, 'baseDir'>): string {
  return `${baseDir}/slipway/acme`;
}

/** Files that a client's virtual host would name, whether they are there or not: the wildcard's, or those of its lineage. */
export function certificateFiles(
  server: Pick<Server, 'tls' | 'tlsCert' | 'tlsKey'>,
  hostname: string,
): { certificate: string; key: string } | undefined {
  if (server.tls !== 'auto') return undefined;
  const { tlsCert: certificate, tlsKey: key } = server;
  if (certificate !== null && key !== null) return { certificate, key };
  return {
    certificate: `${LINEAGES}/${hostname}/fullchain.pem`,
    key: `${LINEAGES}/${hostname}/privkey.pem`,
  };
}

/** What a configuration of nginx that serves the lineage has in it. */
export function lineageOf(hostname: string): string {
  return `${LINEAGES}/${hostname}/`;
}
