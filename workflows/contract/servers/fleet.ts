import type { Rehearsal } from '../clients/rehearsal.js';
import type { FanOutResult, FanOutRules } from '../operation/fan-out.js';

/** `docs/contract/servers.md`, Fan-outs. */
export const DEFAULT_RULES: FanOutRules = { window: 2, canary: 1, stopAfterFailures: 20 };
/** More parallel work than this serves no host: its CPUs and its Docker daemon are the limit. */
export const WINDOW_MAX = 50;
/** As many as a fan-out takes at all. */
export const CANARY_MAX = 5_000;

export interface ServerFanOutParams {
  serverId: number;
  rules?: FanOutRules;
}

/** The first ones are rehearsed in any case. */
export interface RehearsedFanOutParams extends ServerFanOutParams {
  /** of the others; absent: as the server says */
  rehearse?: Rehearsal;
}

export interface SwitchAllParams extends RehearsedFanOutParams {
  versionTag: string;
  /** as the caller named it: must be the product's own */
  image?: string;
  /** also to a lower version */
  force: boolean;
}

export interface ReconfigurateParams {
  rules?: FanOutRules;
}

/** What a refreshed set of clients comes to; `next` is what a person should do now. */
export interface RefreshResult extends FanOutResult {
  /** clients whose configuration differed, and which were restarted */
  changed: number;
  next?: string;
}

/** One server of the fleet as its own operation ended. */
export interface ServerOutcome {
  server: number;
  operation: string;
  state: string;
  /** its clients; absent where it ended without a result */
  clients?: { total: number; done: number; failed: number; notStarted: number; changed: number };
}

export interface ReconfigurateResult extends FanOutResult {
  changed: number;
  /** the first 200 */
  servers: ServerOutcome[];
}
