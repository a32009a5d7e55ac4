import type { Rehearsal } from './rehearsal.js';

/** Everything that is made for one client, named once by the first activity and recorded in history. */
export interface ClientNames {
  clientId: number;
  serverId: number;
  /** `client42`: directory, Compose project, database, SQL user, vhost file */
  name: string;
  /** absent: `name`; `client42_b` once a change of its data has failed, and its copy became the database */
  database?: string;
  /** `/srv/docker/clients/client42` */
  directory: string;
  /** `/etc/nginx/conf.d/client42.conf` */
  vhostFile: string;
  /** `acme.example.test` */
  hostname: string;
  /** network of the client's own, a /28 of the server's client pool, such as `10.213.0.16/28` */
  subnet: string;
  /** published on 127.0.0.1 of the server */
  port: number;
  /** `<image>:<version>` */
  image: string;
  /** product profile under `templates/products/` */
  product: string;
  /** ids in the secrets table, never values */
  secrets: { databasePassword: string; clientToken: string; applicationKey: string };
}

/** Argument of an act on a client's things; `operation` is the one whose mark they bear. */
export interface ClientThing {
  names: ClientNames;
  operation: string;
}

/** What is taken down as a whole. */
export interface ThingToRemove extends ClientThing {
  /** its server has a certificate made for each of its clients; absent: no */
  certificate?: true;
}

/** What is known of a client where all of it is looked up: also the stopped sources that moves have kept. */
export interface FoundClient extends ThingToRemove {
  kept?: ThingToRemove[];
}

export interface CreateClientParams {
  clientId: number;
  serverId: number;
  /** directory of a backup on the client's server: its database and uploads are what the client starts with */
  restoreFrom?: string;
  /** only in a plan of the API, which writes no row: what the client's row would say */
  planned?: { subdomain: string; versionTag: string; adminPasswordGiven: boolean };
}

export interface DeleteClientParams {
  clientId: number;
  serverId: number;
  keepBackup: boolean;
  /** days until the archived backup is removed */
  keepDays: number;
  /** servers that moves have kept a stopped source of it on */
  keptOn?: number[];
}

export interface MoveClientParams {
  clientId: number;
  /** where it is */
  serverId: number;
  targetServerId: number;
  /** days that the stopped source is kept */
  keepDays: number;
}

/** Source and target of a move: things of one client, each on its own server. */
export interface MoveRoute {
  source: ClientThing;
  target: ClientThing;
}

export interface CopyClientParams {
  /** what is written: of kind demo or test, on a stage server */
  clientId: number;
  serverId: number;
  /** what is read, while it serves */
  sourceId: number;
  sourceServerId: number;
  /** days that the backup of the target is kept */
  keepDays: number;
}

export interface CopyPlan {
  source: ClientThing;
  target: ClientThing;
  /** the target with the source's version */
  next: ClientThing;
  versionTag: string;
  /** the source's application key is the target's from then on, as the product's profile says */
  sharesKey: boolean;
}

/** Removes the stopped source that a move has kept on this server. */
export interface RemoveKeptSourceParams {
  clientId: number;
  serverId: number;
}

export interface SetAdminPasswordParams {
  clientId: number;
  serverId: number;
  /** id in the secrets table */
  password: string;
}

export interface RefreshClientParams {
  clientId: number;
  serverId: number;
}

export interface UpdateClientParams {
  clientId: number;
  serverId: number;
  /** names of what `client_changes` changes; the values are nobody's but the database's */
  fields: string[];
}

export interface SetExpireDateParams {
  clientId: number;
  serverId: number;
}

export interface SetDemoParams {
  clientId: number;
  serverId: number;
  enabled: boolean;
}

export interface SetMaintenanceParams {
  clientId: number;
  serverId: number;
  on: boolean;
}

export interface RebootClientParams {
  clientId: number;
  serverId: number;
}

export interface MailClientParams {
  clientId: number;
  serverId: number;
  template: 'send_success' | 'send_expire';
}

export interface SwitchClientParams {
  clientId: number;
  serverId: number;
  versionTag: string;
  /** also to a lower version; no migration runs then */
  force: boolean;
  /** days until the backup is removed; absent: 30 */
  keepDays?: number;
  /** absent: as the server says */
  rehearse?: Rehearsal;
}

export interface MigrateClientParams {
  clientId: number;
  serverId: number;
  keepDays?: number;
  rehearse?: Rehearsal;
}

/** What a change of version starts from and leads to; both things bear the client's own mark. */
export interface VersionChange {
  current: ClientThing;
  next: ClientThing;
  versionTag: string;
  /** false where a person goes back to a lower version: its migrations do not know what later ones have done */
  migrates: boolean;
}

/** Sent to a running create when the panel sets the administrator's password meanwhile; payload `{ password }`, a secret's id. */
export const ADMIN_PASSWORD_SIGNAL = 'admin_password';
