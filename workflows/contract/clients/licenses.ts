/** Whose the operations are that sweeps start by the clock. */
export const CLOCK_ACTOR = 'slipway:clock';

/** Also of other operations that need to know no more. */
export interface LockClientParams {
  clientId: number;
  serverId: number;
}

export interface NotifyExpiryParams {
  clientId: number;
  /** ISO moment: the reminder is of this end, and void once the licence has another */
  licenseEnd: string;
  /** before the end; 0: on its day */
  days: number;
}

/** What a sweep finds to be done for one client: each an operation of its own, in this order. */
export interface DueClient {
  clientId: number;
  serverId: number;
  lock?: 'lock_client' | 'unlock_client';
  reminder?: { licenseEnd: string; days: number };
}

/** One page of clients. */
export interface DueClients {
  due: DueClient[];
  /** where the next page begins; null: that was the last */
  next: number | null;
}
