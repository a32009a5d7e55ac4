import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { grpcCode, isTemporalAway, temporalAway } from '../http/errors.js';

/** A server that answers takes milliseconds; the client itself would go on trying for some 20 s. */
const REACH_DEADLINE_MS = 900;
/**
 * The client's own ten tries back off for up to 5 s beyond any deadline. Three within a fifth of a second are for a
 * connection that broke just now; whatever takes longer is for the caller's retry.
 */
const RETRIES = { maxAttempts: 3, factor: 2, initialIntervalMs: () => 50, maxIntervalMs: () => 150 };
/** gRPC would wait up to two minutes before it tries to connect again. */
const RECONNECT = { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 2_000 };
/** How long an answer is believed, so that bursts of writes do not each ask. */
const REACHED_MS = 1_000;

export interface TemporalOptions {
  address: string;
  namespace: string;
  taskQueue: string;
  tls: boolean;
}

export type Temporal = ReturnType<typeof createTemporal>;

/** Temporal as the API uses it: connects when first needed, every call has a deadline. */
export function createTemporal({ address, namespace, taskQueue, tls }: TemporalOptions) {
  const connection = Connection.lazy({
    address,
    channelArgs: RECONNECT,
    interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions(RETRIES))],
    ...(tls ? { tls: true } : {}),
  });
  const client = new Client({ connection, namespace, identity: 'slipway-api' });
  let reachedAt = 0;

  const within = <T>(ms: number, call: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + ms, call);

  return {
    client,
    connection,
    namespace,
    taskQueue,
    within,
    /** 503 now, with nothing written, rather than an operation that nobody can start. */
    async requireReachable(): Promise<void> {
      if (Date.now() - reachedAt < REACHED_MS) return;
      try {
        await within(REACH_DEADLINE_MS, () => connection.workflowService.getSystemInfo({}));
        reachedAt = Date.now();
      } catch (error) {
        throw isTemporalAway(error) || grpcCode(error) !== undefined ? temporalAway(error) : error;
      }
    },
    close: () => connection.close(),
  };
}
