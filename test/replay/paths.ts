import { CHANGE_PATHS } from './paths/changes.js';
import { CLIENT_PATHS } from './paths/clients.js';
import { CLOCK_PATHS } from './paths/clock.js';
import { CORE_PATHS } from './paths/core.js';
import { FLEET_PATHS } from './paths/fleet.js';
import { MOVE_PATHS } from './paths/moves.js';
import { SERVER_PATHS } from './paths/servers.js';
import { VERSION_PATHS } from './paths/versions.js';
import type { RecordedPath } from './paths/path.js';

/** Every path that is replayed; ids of clients differ so that the subjects do. */
export const PATHS: readonly RecordedPath[] = [
  ...CLIENT_PATHS,
  ...VERSION_PATHS,
  ...MOVE_PATHS,
  ...CHANGE_PATHS,
  ...CORE_PATHS,
  ...CLOCK_PATHS,
  ...FLEET_PATHS,
  ...SERVER_PATHS,
];

export function historyName({ workflow, path }: RecordedPath): string {
  return `${workflow}.${path}`;
}
