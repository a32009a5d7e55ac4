import { Resolver } from 'node:dns/promises';
import type { ClientNames, ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import type { Connections } from '../connections.js';
import { nameOf, type Server } from '../../hosts/connections.js';
import { createHosts } from '../../hosts/host.js';
import { loadProfile } from '../product/profile.js';
import { refuseChanging } from '../containers/changing.js';
import { joinScripts } from '../../ssh/shell.js';
import { askFrom } from '../../nginx/ask-from.js';
import { publicationOf, swapping } from './publication.js';
import { publishScript, removeScript } from '../../nginx/swap.js';
import { type VhostVariant } from './vhost.js';
import { vhostMarker } from '../vhost-marker.js';

export type NginxActivities = ReturnType<typeof createNginxActivities>;

/** `moved`: redirects to the client's new name, or passes on to its new host when the name is the same */
export type PublishedVariant = 'live' | 'maintenance' | 'moved';

/** Its names on the server where it is now. */
type MovedTo = ClientNames & {
  /** its certificate is served there already */
  secured?: boolean;
};

export interface PublishInput extends ClientThing {
  variant: PublishedVariant;
  /** of a moved one */
  movedTo?: MovedTo;
  returning?: boolean;
}

/** DNS is only worth a warning, so nobody waits long for it. */
const DNS_TIMEOUT_MS = 1_500;

/** A client's virtual host: the nginx swap, and the look from outside. */
export function createNginxActivities(connections: Connections) {
  const { servers, clients } = connections;
  const hosts = createHosts(connections);

  const publish = async (
    { names, operation, variant, movedTo, returning = false }: PublishInput,
    step: StepContext,
  ): Promise<void> => {
    const { clientId, serverId, hostname } = names;
    const [host, client, newServer] = await Promise.all([
      hosts.reach(serverId),
      clients.get(clientId),
      movedTo === undefined ? undefined : servers.get(movedTo.serverId),
    ]);
    const { server } = host;
    const shown = variantOf({ variant, hostname, movedTo, newServer });
    const { publication, texts } = await publicationOf(
      connections,
      { thing: { names, operation }, server, client, variant: shown },
      step,
    );
    const swap = publishScript(publication);
    const script = returning ? joinScripts([refuseChanging(names, step), swap]) : swap;
    await hosts.run(host, step, script, { ...swapping(server, names), input: texts.join('') });
    step.summarize(`${names.hostname} is served by nginx on ${nameOf(server)}`);
  };

  return {
    /**
     * Publishes the client, or its maintenance page; the former file serves on until the new one does. `returning`: it
     * leaves a change of the client's data, so it is refused while that is neither done nor taken back.
     */
    publishVhost: publish,

    /** Publishes the client anew, now that its certificate is there. */
    secureVhost: async (client: ClientThing, step: StepContext): Promise<{ secured: true }> => {
      await publish({ ...client, variant: 'live' }, step);
      return { secured: true };
    },

    /** Undo of `publishVhost`, and for a delete: takes the file out when it bears `operation`'s mark. */
    removeVhost: async ({ names, operation }: ClientThing, step: StepContext): Promise<void> => {
      const host = await hosts.open(names.serverId, step, []);
      const marker = vhostMarker({ operation, name: names.name });
      const script = removeScript({ path: names.vhostFile, marker, nginx: host.facts.nginx });
      await hosts.run(host, step, script, swapping(host.server, names));
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

function variantOf({
  variant,
  hostname,
  movedTo,
  newServer,
}: {
  variant: PublishedVariant;
  hostname: string;
  movedTo: MovedTo | undefined;
  newServer: Server | undefined;
}): VhostVariant {
  if (variant !== 'moved') return { kind: variant };
  if (movedTo === undefined || newServer === undefined)
    throw failure('InvalidInput', `nothing says where ${hostname} has moved`);
  // without files of a certificate its vhost has no TLS block yet
  const wildcard = newServer.tls === 'auto' && newServer.tlsCert !== null;
  const scheme = wildcard || movedTo.secured === true ? 'https' : 'http';
  return movedTo.hostname === hostname
    ? { kind: 'proxy', to: `${scheme}://${newServer.host}` }
    : { kind: 'redirect', to: `${scheme}://${movedTo.hostname}` };
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
