import type { ClientData } from '../../workflows/contract/clients/databases.js';
import { failure, type FailureKind } from '../../workflows/contract/operation/failures.js';

/** Remote login of the backend on one server's SQL engine. */
export interface SqlLogin {
  host: string;
  port: number;
  user: string;
  password: string;
}

/** A client's user and its databases, one of the same name, with the operation whose mark they bear. */
export interface OwnedDatabase {
  name: string;
  operation: string;
}

/** An empty database beside the client's: same mark, options, settings and rights. */
export interface SpareDatabase extends OwnedDatabase {
  /** the client's present one */
  database: string;
  spare: string;
  /** an earlier spare may go */
  replaces: boolean;
}

export interface NewDatabase extends OwnedDatabase {
  password: string;
  /** the only network that the user may log in from, such as `10.213.0.16/28` */
  subnet: string;
}

/** Who runs a rehearsal: the client's user, from the only network that it may come from for it. */
export interface Rehearser extends OwnedDatabase {
  /** the copy, all that it may touch from there */
  database: string;
  subnet: string;
  password: string;
}

/** `mine` is written over what is there; `first` is the product's own afterwards and only written when absent. */
export interface CloudSettings {
  mine: Readonly<Record<string, string>>;
  first: Readonly<Record<string, string>>;
}

/** A version that a client may be switched to. */
export interface Announcement {
  version: string;
  /** markdown */
  info: string;
  releasedAt: Date;
}

/** Things of one kind that keep a database from being restored. */
export interface Unrestorable {
  kind: FailureKind;
  /** such as `trigger stamped` */
  objects: string[];
  cause: string;
  hint: string;
}

export type Removal = 'removed' | 'absent' | 'foreign';

/** One connection to an engine. Its errors are the driver's own; `kindOf` tells which failure they are. */
export interface SqlSession {
  /** names what is there under that name and does not bear the operation's mark, such as `database client42` */
  survey(thing: OwnedDatabase): Promise<string[]>;
  /** creates database and user, or finishes what an earlier attempt began; foreign things are `Conflict` */
  ensure(thing: NewDatabase): Promise<void>;
  /** removes all when they bear the mark, sessions first, with whatever an attempt left half-made */
  remove(thing: OwnedDatabase): Promise<Removal>;
  /** `NotFound` without `database`, `Conflict` where `spare` is somebody else's, or not to be replaced */
  makeSpare(thing: SpareDatabase): Promise<void>;
  /** bytes that a database takes, and where the server keeps its data; empty: it does not say */
  measure(database: string): Promise<{ sizeBytes: number; directory: string }>;
  /** lets the client's user in from another network; `Conflict` when the database is somebody else's */
  admit(rehearser: Rehearser): Promise<void>;
  /** ends what `admit` has allowed for any of these networks, which are not the client's own */
  dismiss(thing: { name: string; subnets: readonly string[] }): Promise<void>;
  /** that one alone, its sessions first; the user stays */
  drop(thing: { database: string; operation: string }): Promise<Removal>;
  writeCloudSettings(data: ClientData, settings: CloudSettings): Promise<void>;
  /** the present values of these settings; null for one that is not there */
  readCloudSettings(data: ClientData, keys: readonly string[]): Promise<Record<string, string | null>>;
  /** writes them as they were read; null removes one */
  restoreCloudSettings(data: ClientData, settings: Readonly<Record<string, string | null>>): Promise<void>;
  /** the client's version in its `cloud_settings`, and among those of its `cloud_versions` */
  recordVersion(data: ClientData, version: string): Promise<void>;
  /** versions that the client may be switched to by itself: those of its `cloud_versions` */
  releasedVersions(data: ClientData): Promise<string[]>;
  /** what is in the database that a backup of it could not bring back beside; `NotFound` without that database */
  unrestorable(data: ClientData): Promise<Unrestorable[]>;
  /** lists the version in the client's database; its people get a notice of it, unless it is `present` there already */
  announce(data: ClientData, announcement: Announcement & { present: boolean }): Promise<void>;
  /** version of the server, such as `10.11.6-MariaDB` */
  version(): Promise<string>;
  /** accounts of this login that may log in from any address; empty where the engine does not keep addresses */
  openAccounts(): Promise<string[]>;
}

export interface SqlEngineDriver {
  kindOf(error: unknown): FailureKind | undefined;
  /** opens a connection, hands it to `act` and closes it; when the signal aborts, the connection is cut at once */
  connect<Result>(
    login: SqlLogin,
    signal: AbortSignal,
    act: (session: SqlSession) => Promise<Result>,
  ): Promise<Result>;
}

/** What stands in the way of a spare. */
export function spareInTheWay(spare: string, { ours }: { ours: boolean }): Error {
  if (!ours) return failure('Conflict', `database ${spare} is already there and not ours`);
  return failure('Conflict', `database ${spare} may be the only whole one of its client`, {
    hint: 'an earlier change of the data was not taken back (.slipway-changing in the directory): finish that first',
  });
}

/** What the product shows its people of a newer version: JSON in `cloud_settings.update_notice`. */
export function noticeOf({ version, info }: Announcement): string {
  return JSON.stringify({ version, info });
}

/** 10 s, as for SSH: longer than any handshake over a slow line, short beside the retries around it. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** A DROP waits for sessions that were just ended; whatever takes longer is tried again. */
export const LOCK_TIMEOUT_S = 20;

/**
 * The server ends a session that says nothing for so long: a worker that stood still for longer, and wakes up when
 * another attempt has taken over, has no session left to write by. Below the heartbeat's timeout, above a blocked event
 * loop of 5 s.
 */
export const IDLE_SESSION_S = 6;

/** Answer of `readCloudSettings` from the rows that were found. */
export function settingsRead(
  keys: readonly string[],
  rows: readonly Record<string, unknown>[],
): Record<string, string | null> {
  const found = new Map(rows.map((row) => [row['name'], row['value'] as string | null]));
  return Object.fromEntries(keys.map((key) => [key, found.get(key) ?? null]));
}

export function settingsToRestore(settings: Readonly<Record<string, string | null>>) {
  const entries = Object.entries(settings);
  return {
    set: entries.filter((entry): entry is [string, string] => entry[1] !== null),
    gone: entries.filter(([, value]) => value === null).map(([key]) => key),
  };
}
