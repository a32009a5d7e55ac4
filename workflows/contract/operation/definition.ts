import type { AdmissionNeed } from './admission.js';
import type { SearchAttributeName } from './search-attributes.js';
import type { Act } from './step.js';

/** A kind of operation: everything that is known of it before any of it runs. It stands once, in its wing's table. */
export interface Definition<Params> {
  kind: string;
  /** as `workflows/index.ts` exports it */
  workflow: string;
  /** the workflow id that these parameters demand */
  subject(params: Params): string;
  title(params: Params): string;
  attributes?(params: Params): Partial<Record<SearchAttributeName, string>>;
  /** what is tidied up on hosts before the end, however it ends; its failure changes nothing */
  tidy?(params: Params, operation: string): Act;
  /** subjects beside the own one: borrowed after the claim, freed at the end */
  borrows?(params: Params): string[];
  /** servers that it works on, beside others or alone: taken before its first step, given back while it holds */
  admission?(params: Params): AdmissionNeed | undefined;
  /** it takes away what others have left: it may run on a subject whose undos are open */
  cleaning?: true;
  /** it starts an operation for each of many subjects */
  fansOut?: true;
  /** throws `InvalidInput` for parameters that no operation of this kind can have */
  validate(params: Params): void;
}

type Row = Omit<Definition<never>, 'kind'>;

/** A wing's table; the key of a row is its kind. */
export function defineKinds<Rows extends Record<string, Row>>(
  rows: Rows,
): { readonly [Kind in keyof Rows & string]: Rows[Kind] & { readonly kind: Kind } } {
  const named = Object.entries(rows).map(([kind, row]) => [kind, { ...row, kind }] as const);
  return Object.fromEntries(named) as ReturnType<typeof defineKinds<Rows>>;
}
