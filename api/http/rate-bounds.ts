/** Requests in a minute, of one caller from one address. */
export interface RateLimits {
  /** whatever a caller asks */
  requests: number;
  /** what changes something: starts, decisions, records */
  changes: number;
  /** what makes Slipway connect to a host that the caller names */
  checks: number;
  /** of one address, without a valid login */
  strangers: number;
}

export type RateBound = keyof RateLimits;
