/** Live readings of servers. They run as the workflow `probe`: one activity, no retry, no operation. */

export const PROBE_WORKFLOW = 'probe';
export type ProbeKind = 'check_host' | 'load' | 'images' | 'versions' | 'reboot_right';

/** A host that is not stored yet; the SQL password travels as the id of a stored secret. */
export interface ProbeTarget {
  host: string;
  sshPort: number;
  sshUser: string;
  /** pinned fingerprint; null: any key is taken, and answered */
  sshHostKey: string | null;
  sqlEngine: 'mariadb' | 'postgres';
  sqlHost: string;
  sqlPort: number;
  /** null: nothing about SQL is checked */
  sqlUser: string | null;
  /** id in the secrets table */
  sqlPassword: string | null;
  domain: string | null;
  baseDir: string;
  vhostDir: string;
  clientPool: string;
}

/** Argument of the probe: a stored server, a target, or for `versions` a client. */
export interface ProbeInput {
  kind: ProbeKind;
  serverId?: number;
  clientId?: number;
  target?: ProbeTarget;
}

export type CheckLevel = 'ok' | 'warning' | 'error';

/** One requirement on a host; the keys are those of `docs/contract/servers.md`, Servers. */
export interface CheckLine {
  key: string;
  ok: boolean;
  level: CheckLevel;
  /** what is there */
  found: string;
  /** what is needed */
  need: string;
  /** what to do; empty when nothing is */
  fix: string;
}

export interface CheckHostReport {
  readAt: string;
  /** whether the login worked */
  reachable: boolean;
  /** `SHA256:…` as seen now; null when the host did not answer at all */
  hostKey: string | null;
  lines: CheckLine[];
}

export interface ServerLoad {
  readAt: string;
  /** over 1, 5 and 15 minutes */
  loadAverage: [number, number, number];
  cpus: number;
  memoryTotalBytes: number;
  memoryAvailableBytes: number;
  /** of the file system that holds the clients' data */
  diskTotalBytes: number;
  diskFreeBytes: number;
  dockerVersion: string | null;
  containersRunning: number;
  containersTotal: number;
  images: number;
  uptimeSeconds: number;
}

export interface ServerImage {
  tag: string;
  id: string;
  sizeBytes: number;
  createdAt: string;
  branch: string | null;
  commit: string | null;
}

/** Versions of the product's image, newest first. */
export interface ImageList {
  readAt: string;
  images: ServerImage[];
}

/** What a client's own `cloud_versions` holds. */
export interface ReleasedVersions {
  readAt: string;
  versions: string[];
}

/** Of what `check_host` knows only this, so that a start need not wait for the rest. */
export interface RebootRight {
  readAt: string;
  allowed: boolean;
}

/** What each kind of probe answers. */
export interface ProbeResults {
  reboot_right: RebootRight;
  check_host: CheckHostReport;
  load: ServerLoad;
  images: ImageList;
  versions: ReleasedVersions;
}
