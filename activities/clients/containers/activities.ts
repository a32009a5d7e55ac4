import type { Connections } from '../connections.js';
import { createContainerChecks } from './checks.js';
import { createDumpActivities } from './dumps.js';
import { createClientFileActivities } from './files.js';
import { createRunningActivities } from './running.js';

export type DockerActivities = ReturnType<typeof createDockerActivities>;

/** A client's directory and containers on its server. */
export function createDockerActivities(connections: Connections) {
  return {
    ...createContainerChecks(connections),
    ...createClientFileActivities(connections),
    ...createRunningActivities(connections),
    ...createDumpActivities(connections),
  };
}
