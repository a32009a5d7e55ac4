/** What a status says of a client, each asked for somewhere; a new status answers all of them here, or does not compile. */
interface Traits {
  /** it is made and at rest: it serves visitors, may be changed, is counted and billed */
  present: boolean;
  /** whether it answers is asked every minute */
  watched: boolean;
  /** nobody else gets its subdomain */
  named: boolean;
  /** it is somebody's still: lists show it */
  listed: boolean;
  /** it lasts until somebody changes it, and may be what a change leads to */
  settled: boolean;
  /** why it may not be changed; null: it may, or an operation is just at it */
  refusal: string | null;
}

const AT_REST = { present: true, watched: true, named: true, listed: true, settled: true } as const;
const ON_ITS_WAY = { present: false, named: true, listed: true, settled: false } as const;

/** Every status of a client, in the order of its life. */
export const CLIENT_STATUS_TRAITS = {
  creating: { ...ON_ITS_WAY, watched: false, refusal: 'is not created yet' },
  active: { ...AT_REST, refusal: null },
  maintenance: { ...AT_REST, refusal: 'is in maintenance: turn that off first' },
  expired: { ...AT_REST, refusal: 'has expired: set a new expire_date first' },
  paused: {
    ...{ present: false, watched: false, named: true, listed: true, settled: true },
    refusal: 'is paused: resume it first',
  },
  moving: { ...ON_ITS_WAY, watched: true, refusal: 'is being moved' },
  deleting: { ...ON_ITS_WAY, watched: false, refusal: 'is being deleted' },
  failed: {
    ...{ present: false, watched: false, named: false, listed: true, settled: false },
    refusal: 'has failed: create it again first',
  },
  deleted: {
    ...{ present: false, watched: false, named: false, listed: false, settled: false },
    refusal: 'is deleted',
  },
} as const satisfies Record<string, Traits>;

type Table = typeof CLIENT_STATUS_TRAITS;
export type ClientStatus = keyof Table;
type Trait = Exclude<keyof Traits, 'refusal'>;
/** Statuses that have a trait. */
export type StatusWith<Name extends Trait> = {
  [Status in ClientStatus]: Table[Status][Name] extends true ? Status : never;
}[ClientStatus];

/** Those that have a trait, for `inArray` and enumerations. */
export function statusesWith<Name extends Trait>(trait: Name): [StatusWith<Name>, ...StatusWith<Name>[]] {
  const all = Object.entries(CLIENT_STATUS_TRAITS) as [ClientStatus, Traits][];
  return all.filter(([, traits]) => traits[trait]).map(([status]) => status) as [
    StatusWith<Name>,
    ...StatusWith<Name>[],
  ];
}

/** Those that have not. */
export function statusesWithout(trait: Trait): ClientStatus[] {
  const all = Object.entries(CLIENT_STATUS_TRAITS) as [ClientStatus, Traits][];
  return all.filter(([, traits]) => !traits[trait]).map(([status]) => status);
}

/** Whether a client that has this status is made and at rest. */
export function isPresent(status: ClientStatus): boolean {
  return CLIENT_STATUS_TRAITS[status].present;
}
