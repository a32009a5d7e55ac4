import type { ImageStock } from '../../workflows/contract/servers/server-work.js';
import type { ServerImage } from '../../workflows/contract/servers/probes.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { compareVersions } from '../../workflows/contract/clients/versions.js';
import type { Connections } from '../clients/connections.js';
import { loadProfile } from '../clients/product/profile.js';
import type { ServerReads } from './server-records.js';
import { imagesScript, parseImages } from './probes.js';
import { createHosts, type Host } from '../hosts/host.js';
import { type Script, sh } from '../ssh/shell.js';

export type PruneActivities = ReturnType<typeof createPruneActivities>;

/** Deleting the layers of some hundred versions on a slow disk; a little less than its step may take. */
const PRUNE_TIMEOUT_MS = 55 * 60_000;
/** The newest one, and the one to go back to. */
const KEPT_PER_BRANCH = 2;
/** Docker adds sizes up over all its layers. */
const COUNT_TIMEOUT_MS = 100_000;

/** Unused versions of the product's image; `docs/contract/servers.md`, Servers and the fleet. */
export function createPruneActivities({
  versionsInUse,
  ...connections
}: Connections & Pick<ServerReads, 'versionsInUse'>) {
  const hosts = createHosts(connections);

  const read = async (host: Host, step: StepContext) => {
    const { image } = loadProfile(host.server.product);
    const [{ stdout: images }, { stdout: used }, named] = await Promise.all([
      hosts.look(host, step, imagesScript(image)),
      hosts.look(host, step, usedScript(host.facts.docker)),
      versionsInUse(host.server.id),
    ]);
    return prunable({ image, images: parseImages(images, image), used: used.split('\n'), named });
  };

  return {
    /** What is there now. */
    async countImages({ serverId }: { serverId: number }, step: StepContext): Promise<ImageStock> {
      const host = await hosts.open(serverId, step);
      const { image } = loadProfile(host.server.product);
      const script = countScript(image, host.facts.docker);
      const { stdout } = await hosts.look(host, step, script, { timeoutMs: COUNT_TIMEOUT_MS });
      return parseStock(stdout, image);
    },

    /** For people and plans: which ones nobody needs. */
    async choosePrunable(
      { serverId }: { serverId: number },
      step: StepContext,
    ): Promise<{ images: string[] }> {
      const images = await read(await hosts.open(serverId, step), step);
      step.summarize(images.length === 0 ? 'nothing' : images.join(', '));
      return { images };
    },

    /**
     * Asks again what is needed, then removes the rest by name, without force: what a container has come to use
     * meanwhile stays. Then layers without a name and the build cache. Volumes are never touched.
     */
    async pruneImages({ serverId }: { serverId: number }, step: StepContext): Promise<void> {
      const host = await hosts.open(serverId, step);
      const script = pruneScript(await read(host, step), host.facts.docker);
      await hosts.runJob(host, step, { script, timeoutMs: PRUNE_TIMEOUT_MS });
    },
  };
}

interface Stock {
  image: string;
  images: readonly ServerImage[];
  /** ids and names that containers have, running or not, anybody's */
  used: readonly string[];
  /** tags and references that records name */
  named: readonly string[];
}

/** References that go: none that anything names, none of the newest of each branch. Pure. */
export function prunable({ image, images, used, named }: Stock): string[] {
  const needed = new Set([...used, ...named]);
  const newestFirst = [...images].sort(
    (one, other) =>
      Date.parse(other.createdAt) - Date.parse(one.createdAt) || compareVersions(other.tag, one.tag),
  );
  const seen = new Map<string, number>();
  return newestFirst.flatMap(({ tag, id, branch }) => {
    const line = branch ?? /-([a-z]+)$/.exec(tag)?.[1] ?? '';
    const place = (seen.get(line) ?? 0) + 1;
    seen.set(line, place);
    const reference = `${image}:${tag}`;
    const isNeeded = needed.has(id) || needed.has(tag) || needed.has(reference);
    return isNeeded || place <= KEPT_PER_BRANCH ? [] : [reference];
  });
}

/** A container that goes between the listing and the look needs nothing any more. */
function usedScript(docker: readonly string[]): Script {
  return sh`
containers=$(${docker} ps -aq --no-trunc)
for container in $containers; do
  ${docker} inspect --type container --format '{{.Image}}
{{.Config.Image}}' -- "$container" 2>/dev/null || [ -z "$(${docker} ps -aq --filter "id=$container")" ]
done`;
}

function pruneScript(references: readonly string[], docker: readonly string[]): Script {
  return sh`
for image in ${references}; do
  if [ -z "$(${docker} image ls -q -- "$image")" ]; then continue; fi
  if [ -n "$(${docker} ps -aq --filter "ancestor=$image")" ]; then echo "$image is in use by now"; continue; fi
  ${docker} rmi -- "$image" || [ -n "$(${docker} ps -aq --filter "ancestor=$image")" ]
done
${docker} image prune --force
${docker} builder prune --all --force || echo 'there is no build cache to remove'`;
}

function countScript(image: string, docker: readonly string[]): Script {
  return sh`
${docker} image ls --format 'tag|{{.Tag}}' -- ${image}
${docker} system df --format 'size|{{.Type}}|{{.Size}}'`;
}

const UNITS: Record<string, number> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** Docker says sizes to four digits: `1.234GB`. */
export function parseStock(text: string, image: string): ImageStock {
  const lines = text.split('\n').map((line) => line.split('|'));
  const tags = lines.flatMap(([kind, tag = '<none>']) =>
    kind === 'tag' && tag !== '<none>' ? [`${image}:${tag}`] : [],
  );
  const bytes = lines.flatMap(([kind, type = '', size = '']) =>
    kind === 'size' && ['Images', 'Build Cache'].includes(type) ? [bytesOf(size)] : [],
  );
  return { tags: tags.sort(), bytes: bytes.reduce((sum, size) => sum + size, 0) };
}

function bytesOf(size: string): number {
  const [, number = '0', unit = 'B'] = /^([\d.]+)\s*([kMGT]?B)/.exec(size) ?? [];
  return Math.round(Number(number) * (UNITS[unit] ?? 1));
}
