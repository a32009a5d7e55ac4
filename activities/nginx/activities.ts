import { Resolver } from 'node:dns/promises';
import type { ClientThing } from '../../workflows/contract/clients.js';
import { failure } from '../../workflows/contract/failures.js';
import type { StepContext } from '../../workflows/contract/step.js';
import {
  type Client,
  type Connections,
  nameOf,
  requireHostKey,
  type Server,
  targetOf,
} from '../connections.js';
import { acmeRootOf, certificateFiles } from '../certificates/certificate-files.js';
import { loadProfile, type ProductProfile } from '../product/profile.js';
import { refuseChanging } from '../docker/changing.js';
import { type HostFacts, hostFacts } from '../servers/host-facts.js';
import { joinScripts } from '../ssh/shell.js';
import { askFrom } from './ask-from.js';
import { type Publication, publishScript, removeScript } from './swap.js';
import { swapFailure } from './swap-failures.js';
import { renderVhost, type VhostInput, vhostMarker } from './vhost.js';

export type NginxActivities = ReturnType<typeof createNginxActivities>;

export type PublishedVariant = 'live' | 'maintenance';

/** Time for the lock on the host, two tests, a reload and the question behind it. */
export const SWAP_TIMEOUT_MS = 60_000;
/** DNS is only worth a warning, so nobody waits long for it. */
const DNS_TIMEOUT_MS = 1_500;

/** A client's virtual host: the nginx swap, and the look from outside. */
export function createNginxActivities(connections: Connections) {
  const { servers, clients, ssh } = connections;

  return {
    /**
     * Publishes the client, or its maintenance page; the former file serves on until the new one does. `returning`: it
     * leaves a change of the client's data, so it is refused while that is neither done nor taken back.
     */
    publishVhost: async (
      {
        names,
        operation,
        variant,
        returning = false,
      }: ClientThing & { variant: PublishedVariant; returning?: boolean },
      step: StepContext,
    ): Promise<void> => {
      const [server, client] = await Promise.all([servers.get(names.serverId), clients.get(names.clientId)]);
      const facts = await hostFacts(connections, server, { signal: step.signal, needs: ['nginx'] });
      const checkAddresses =
        connections.checkAddresses.length > 0 ? connections.checkAddresses : [facts.peer];
      const thing = { names, operation };
      const { publication, texts } = publicationOf({ thing, server, client, facts, checkAddresses, variant });
      const publish = publishScript(publication);
      const script = returning ? joinScripts([refuseChanging(names, step), publish]) : publish;
      const result = await ssh.run(targetOf(requireHostKey(server)), script, {
        input: texts.join(''),
        fence: step,
        timeoutMs: SWAP_TIMEOUT_MS,
      });
      if (result.exitCode !== 0) throw swapFailure(result, { server, file: names.vhostFile });
      step.summarize(`${names.hostname} is served by nginx on ${nameOf(server)}`);
    },

    /** Undo of `publishVhost`, and for a delete: takes the file out when it bears `operation`'s mark. */
    removeVhost: async ({ names, operation }: ClientThing, step: StepContext): Promise<void> => {
      const server = await servers.get(names.serverId);
      const { nginx } = await hostFacts(connections, server, step);
      const marker = vhostMarker({ operation, name: names.name });
      const result = await ssh.run(
        targetOf(requireHostKey(server)),
        removeScript({ path: names.vhostFile, marker, nginx }),
        { fence: step, timeoutMs: SWAP_TIMEOUT_MS },
      );
      if (result.exitCode !== 0) throw swapFailure(result, { server, file: names.vhostFile });
    },

    /** Asks for the health path at the server's own address under the client's name; missing DNS is only a warning. */
    checkFromOutside: async (
      { names }: ClientThing,
      step: StepContext,
    ): Promise<{ warning: string | null }> => {
      const server = await servers.get(names.serverId);
      const { healthPath } = loadProfile(names.product);
      const [status, warning] = await Promise.all([
        askFrom({ host: server.host, hostname: names.hostname, path: healthPath, signal: step.signal }),
        dnsWarning(names.hostname, server),
      ]);
      judgeStatus(status, `http://${names.hostname}${healthPath} through nginx on ${nameOf(server)}`);
      if (warning !== null) step.summarize(warning);
      return { warning };
    },
  };
}

interface PublicationInput {
  thing: ClientThing;
  server: Server;
  client: Client;
  facts: HostFacts;
  checkAddresses: readonly string[];
  variant: PublishedVariant;
}

/** What a swap publishes, and the texts that it takes on standard input. */
export function publicationOf({ thing, server, client, facts, checkAddresses, variant }: PublicationInput) {
  const { names, operation } = thing;
  const profile: ProductProfile = loadProfile(names.product);
  const input: VhostInput = {
    profile,
    variant: { kind: variant },
    name: names.name,
    operation,
    hostname: names.hostname,
    port: names.port,
    allowedIps: client.allowedIps,
    // the host itself asks too, once the new file is in
    checkAddresses: [...checkAddresses, '127.0.0.1'],
    ipv6: facts.ipv6,
    ...(server.tls === 'auto' ? { acmeRoot: acmeRootOf(server) } : {}),
  };
  const plain = renderVhost(input);
  const tls = certificateFiles(server, names.hostname);
  const withTls = tls === undefined ? '' : renderVhost({ ...input, tls });
  const publication: Publication = {
    path: names.vhostFile,
    marker: vhostMarker({ operation, name: names.name }),
    nginx: facts.nginx,
    hostname: names.hostname,
    path80: profile.healthPath,
    expected: variant === 'live' ? '^[23]' : '^503',
    plainBytes: Buffer.byteLength(plain),
    ...(tls === undefined ? {} : { tls: { ...tls, bytes: Buffer.byteLength(withTls) } }),
  };
  return { publication, texts: [plain, withTls] };
}

function judgeStatus(status: number, what: string): void {
  if (status >= 200 && status < 400) return;
  const message = `${what} answers ${status}`;
  if (status >= 502 && status <= 504) throw failure('Unavailable', message);
  throw failure('CommandFailed', message, {
    hint:
      status === 403
        ? 'is the address that Slipway asks from among CHECK_ADDRESSES?'
        : 'look at the log of the client',
  });
}

/** Visitors come by DNS; the server's record is the operator's to set, at his own pace. */
async function dnsWarning(hostname: string, server: Server): Promise<string | null> {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: 1 });
  const found = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  if (found.some((answer) => answer.status === 'fulfilled' && answer.value.length > 0)) return null;
  return `${hostname} is not in the DNS yet; point it to ${server.host}`;
}
