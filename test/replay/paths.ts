import { CHANGE_PATHS } from './clients/changes.js';
import { CLIENT_PATHS } from './clients/clients.js';
import { CLOCK_PATHS } from './clients/clock.js';
import { MOVE_PATHS } from './clients/moves.js';
import { VERSION_PATHS } from './clients/versions.js';
import { CORE_PATHS } from './operation/core.js';
import type { RecordedPath } from './path.js';
import { FLEET_PATHS } from './servers/fleet.js';
import { SERVER_PATHS } from './servers/servers.js';

const WINGS = {
  clients: [...CLIENT_PATHS, ...VERSION_PATHS, ...MOVE_PATHS, ...CHANGE_PATHS, ...CLOCK_PATHS],
  operation: CORE_PATHS,
  servers: [...FLEET_PATHS, ...SERVER_PATHS],
};

/** Every path that is replayed; ids of clients differ so that the subjects do. */
export const PATHS: readonly (RecordedPath & { wing: string })[] = Object.entries(WINGS).flatMap(
  ([wing, paths]) => paths.map((path) => ({ ...path, wing })),
);

/** `clients/createClient.success`: its file, in the wing's `histories`. */
export function historyName({ wing, workflow, path }: (typeof PATHS)[number]): string {
  return `${wing}/${workflow}.${path}`;
}
