/**
 * Whoever writes something of an operation notifies here: its id for every event, `<id>/<step>` for a chunk of output. Long
 * polls and event streams listen instead of polling the tables.
 */
export const OPERATION_CHANNEL = 'slipway_operation';
