/** Work on a whole server: prune and reboot. */

export interface ServerParams {
  serverId: number;
}

/** Versions of the product's image on a server, and what Docker keeps in all. */
export interface ImageStock {
  tags: string[];
  /** images and build cache */
  bytes: number;
}

export interface PruneResult {
  /** `<image>:<version>` */
  removed: string[];
  kept: string[];
  freedBytes: number;
}

export interface ClientAnswer {
  clientId: number;
  hostname: string;
  ok: boolean;
  /** HTTP status, or null when nothing answered */
  status: number | null;
}

export interface RebootResult {
  bootId: string;
  /** containers that the boot itself had not started */
  started: number;
  clients: ClientAnswer[];
}
