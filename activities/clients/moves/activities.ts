import type { Connections } from '../connections.js';
import { createClearingActivities } from './clearing.js';
import { createComparisonActivities } from './comparison.js';
import { createMovedDataActivities } from './data.js';
import { createMovedFileActivities } from './files.js';
import { createMovedImageActivities } from './image.js';
import { createInsideCheckActivities } from './inside-check.js';

export type MoveActivities = ReturnType<typeof createMoveActivities>;

/** A client's image, files and database on their way from one server to another. */
export function createMoveActivities(connections: Connections) {
  return {
    ...createMovedImageActivities(connections),
    ...createMovedFileActivities(connections),
    ...createMovedDataActivities(connections),
    ...createComparisonActivities(connections),
    ...createInsideCheckActivities(connections),
    ...createClearingActivities(connections),
  };
}
