import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Db } from '../../db/database.js';
import { countOperations } from '../../db/queries/operation-reads.js';
import { makeOperationId } from '../../workflows/contract/operation/ids.js';

/** The whole table would make each scrape dearer than the one before. */
const COUNTED_MS = 86_400_000;

export type Metrics = ReturnType<typeof createMetrics>;

/** Prometheus metrics of the API. Labels are closed sets: no ids, names or addresses. */
export function createMetrics({ db }: { db: Db }) {
  const registry = new Registry();
  const registers = [registry];
  const operations = new Gauge({
    name: 'slipway_operations',
    help: 'Operations by kind and state, as recorded: all that are open, and those asked for in the last 24 hours',
    labelNames: ['kind', 'state'],
    registers,
    async collect() {
      this.reset();
      const since = makeOperationId(Date.now() - COUNTED_MS, () => 0);
      for (const { kind, state, count } of await countOperations(db, { since }))
        this.set({ kind, state }, count);
    },
  });
  return {
    registry,
    operations,
    requests: new Counter({
      name: 'slipway_http_requests_total',
      help: 'HTTP requests by declared route',
      labelNames: ['method', 'route', 'status'],
      registers,
    }),
    durations: new Histogram({
      name: 'slipway_http_request_duration_seconds',
      help: 'Time until the answer began',
      labelNames: ['method', 'route'],
      // reads take milliseconds, starts up to 3 s, probes 5 s, long polls 30 s
      buckets: [0.005, 0.02, 0.1, 0.5, 1, 3, 6, 30],
      registers,
    }),
    starts: new Counter({
      name: 'slipway_operation_starts_total',
      help: 'Requests to start an operation by what came of them',
      labelNames: ['kind', 'outcome'],
      registers,
    }),
  };
}
