import type { AdmissionNeed } from './admission.js';

/** A kind of operation: everything that is known of it before any of it runs. It stands once, in its wing's table. */
export interface Definition<Params> {
  kind: string;
  /** as `workflows/index.ts` exports it */
  workflow: string;
  /** the workflow id that these parameters demand */
  subject(params: Params): string;
  title(params: Params): string;
  /** search attributes that its wing declares */
  attributes?(params: Params): Record<string, string>;
  /** what it works on, such as `server:3`: recorded, and what lists are filtered by */
  places?(params: Params): string[];
  /** how it takes its places before its first step, and gives them back while it holds; absent: it works beside anybody */
  admission?(params: Params): 'shared' | 'exclusive' | undefined;
  /** detached commands of it run there: what they leave is tidied up before the end, however it ends */
  leavesJobs?: boolean;
  /** subjects beside the own one: borrowed after the claim, freed at the end */
  borrows?(params: Params): string[];
  /** it takes away what others have left: it may run on a subject whose undos are open */
  cleaning?: true;
  /** it starts an operation for each of many subjects */
  fansOut?: true;
  /** throws `InvalidInput` for parameters that no operation of this kind can have */
  validate(params: Params): void;
}

/** A row of a wing's table of kinds. */
export type KindRow<Params> = Omit<Definition<Params>, 'kind'>;

/** What a row adds to, or says in place of, what is the same for most of its wing. */
export type OwnOfKind<Params> = Pick<KindRow<Params>, 'workflow' | 'title'> & Partial<KindRow<Params>>;

/** A wing's table; the key of a row is its kind. */
export function defineKinds<Rows extends Record<string, KindRow<never>>>(
  rows: Rows,
): { readonly [Kind in keyof Rows & string]: Rows[Kind] & { readonly kind: Kind } } {
  const named = Object.entries(rows).map(([kind, row]) => [kind, { ...row, kind }] as const);
  return Object.fromEntries(named) as ReturnType<typeof defineKinds<Rows>>;
}

/** What an operation of a kind needs before its first step; undefined: nothing. */
export function admissionOf<Params>(
  { places, admission }: Pick<Definition<Params>, 'places' | 'admission'>,
  params: Params,
): AdmissionNeed | undefined {
  const mode = admission?.(params);
  const wanted = [...new Set(places?.(params))];
  if (mode === undefined || wanted.length === 0) return undefined;
  return { places: wanted, ...(mode === 'exclusive' ? { exclusive: true } : {}) };
}

/** One line for people: the kind's own, and behind it what they call what it works on. */
export function titleOf<Params>(
  { title }: Pick<Definition<Params>, 'title'>,
  params: Params,
  named?: string,
): string {
  return `${title(params)}${named === undefined ? '' : ` (${named})`}`;
}
