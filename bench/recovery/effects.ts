import type { LabHost } from '../../lab/host.js';

/** What was made for one client, by kind, as the host itself has noted it. */
export type Effects = Map<string, number>;

/**
 * The engine's own journal of containers and networks that it made since `sinceMs`, and the rows that the product's
 * commands wrote: each is one when everything ran once. It keeps its last 256 events, a create makes about fifty.
 */
export async function effectsOf(
  host: LabHost,
  { name, sinceMs }: { name: string; sinceMs: number },
): Promise<Effects> {
  const { stdout } = await host.exec(`
    docker events --since ${sinceMs / 1000} --until "$(date +%s.%N)" --filter event=create \
      --filter type=container --filter type=network \
      --format '{{.Type}} {{.Actor.Attributes.name}}'
    mariadb -N -e "SELECT 'user', login FROM ${name}.users UNION ALL SELECT 'migration', migration FROM ${name}.migrations"`);
  const effects: Effects = new Map();
  for (const line of stdout.split('\n').filter((text) => text !== '')) {
    const kind = kindOf(line);
    effects.set(kind, (effects.get(kind) ?? 0) + 1);
  }
  return effects;
}

/** One-off containers bear their operation, step and try: `container 01j…-migrate-2`. */
function kindOf(line: string): string {
  return line
    .replace(/\t/, ' ')
    .replace(/\b[0-9a-z]{26}-([a-z-]+)-\d+$/, '$1')
    .replace(/\bclient\d+/, 'client');
}

/** How many were made beside the first of each kind. */
export function repeated(effects: Effects): number {
  return [...effects.values()].reduce((sum, count) => sum + count - 1, 0);
}
