import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Db } from '../db/database.js';
import { countOperations } from '../db/queries/operation-reads.js';

export type Metrics = ReturnType<typeof createMetrics>;

/** Prometheus metrics of the API. Labels are closed sets: no ids, names or addresses. */
export function createMetrics({ db }: { db: Db }) {
  const registry = new Registry();
  const registers = [registry];
  const operations = new Gauge({
    name: 'slipway_operations',
    help: 'Operations by kind and state, as recorded',
    labelNames: ['kind', 'state'],
    registers,
    async collect() {
      this.reset();
      for (const { kind, state, count } of await countOperations(db)) this.set({ kind, state }, count);
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
