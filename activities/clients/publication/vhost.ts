import { isIPv4 } from 'node:net';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { vhostMarker } from '../vhost-marker.js';
import type { ProductProfile } from '../product/profile.js';
import { openTemplates, TEMPLATES_DIRECTORY } from '../../templates/template.js';
import { canonicalNetwork } from '../../nginx/addresses.js';

export type VhostVariant =
  | { kind: 'live' }
  /** every request but certificate challenges is answered 503 */
  | { kind: 'maintenance' }
  /** 308 to the same path there; `to` is an origin such as `https://acme.other.test` */
  | { kind: 'redirect'; to: string }
  /** passes everything on to another host's nginx under the same name; `to` is its origin, by address or name */
  | { kind: 'proxy'; to: string };

export interface VhostInput {
  profile: ProductProfile;
  variant: VhostVariant;
  /** `client42` */
  name: string;
  /** of the operation that made the client */
  operation: string;
  /** `acme.example.test` */
  hostname: string;
  /** where the container is published on 127.0.0.1 */
  port: number;
  /** addresses and masks, v4 and v6; empty = everyone */
  allowedIps: readonly string[];
  /** admitted on the health path besides `allowedIps` */
  checkAddresses: readonly string[];
  /** addresses of hosts that pass visitors on, and say in X-Real-IP whom: their word is taken for it */
  trustedProxies?: readonly string[];
  /** directory that answers `/.well-known/acme-challenge/`, open to everyone */
  acmeRoot?: string;
  /** only files that exist on the server: nginx refuses to start with others */
  tls?: { certificate: string; key: string };
  /** false on hosts whose kernel has no IPv6, where nginx could not listen; default true */
  ipv6?: boolean;
}

const HOSTNAME =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/;
const ORIGIN = /^https?:\/\/([a-z0-9.-]+)(?::\d{1,5})?$/;
const FILE = /^(?:\/[\w.-]+)+$/;

/** Text of the client's nginx file from `templates/nginx/client.conf.eta`; `InvalidInput` names the wrong value. */
export function renderVhost(input: VhostInput): string {
  checkVhost(input);
  return openTemplates(TEMPLATES_DIRECTORY).render('nginx/client.conf.eta', {
    marker: vhostMarker(input),
    variant: input.variant,
    hostname: input.hostname,
    upstream: `127.0.0.1:${input.port}`,
    healthPath: input.profile.healthPath,
    websocket: input.profile.websocket,
    uploadLimitMegabytes: input.profile.uploadLimitMegabytes,
    allowed: canonicalNetworks(input.allowedIps),
    checks: canonicalNetworks(input.checkAddresses),
    trusted: canonicalNetworks(input.trustedProxies ?? []),
    acmeRoot: input.acmeRoot,
    tls: input.tls,
    ipv6: input.ipv6 ?? true,
  });
}

function canonicalNetworks(texts: readonly string[]): string[] {
  return [...new Set(texts.map(canonicalNetwork))];
}

function checkVhost({ name, operation, hostname, port, variant, acmeRoot, tls }: VhostInput): void {
  refuseUnless(/^[a-z][a-z0-9_-]{0,62}$/.test(name), 'name', name);
  refuseUnless(/^\w{1,40}$/.test(operation), 'operation', operation);
  refuseUnless(HOSTNAME.test(hostname), 'hostname', hostname);
  refuseUnless(Number.isInteger(port) && port >= 1 && port <= 65_535, 'port', String(port));
  if (variant.kind === 'redirect' || variant.kind === 'proxy') {
    const to = ORIGIN.exec(variant.to)?.[1] ?? '';
    const good = HOSTNAME.test(to) || (variant.kind === 'proxy' && isIPv4(to));
    refuseUnless(good, `${variant.kind} target`, variant.to);
  }
  for (const path of [acmeRoot, tls?.certificate, tls?.key]) {
    refuseUnless(
      path === undefined || (FILE.test(path) && !path.split('/').includes('..')),
      'path',
      path ?? '',
    );
  }
}

function refuseUnless(good: boolean, what: string, value: string): void {
  if (good) return;
  throw failure(
    'InvalidInput',
    `${JSON.stringify(value.slice(0, 100))} cannot be the ${what} of an nginx host`,
  );
}
