import type { AdmissionNeed } from '../contract/operation/admission.js';
import type { LeftUndo } from '../contract/operation/cleanup.js';
import type { FanOutResult } from '../contract/operation/fan-out.js';
import type { SearchAttributeName } from '../contract/operation/search-attributes.js';
import type { Act } from '../contract/operation/step.js';
import type { FanOutOptions } from './fan-out/state.js';
import type { CheckOptions, DuringOptions, TakeStep } from './step-options.js';

export interface Definition<Params> {
  kind: string;
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
  /** throws `InvalidInput` for parameters that no operation of this kind can have */
  validate(params: Params): void;
}

export interface Operation<Params> {
  readonly id: string;
  readonly params: Params;
  /** One named act with its undo. Answers the act's result; undefined where it was skipped or became a warning. */
  step: TakeStep;
  /** A read-only act: a step without undo, which also runs in a plan; so it looks at nothing that a step before it makes. */
  check<Result>(key: string, options: CheckOptions<Result>): Promise<Result>;
  /** A dangerous state: entered, left on success and on failure; a failing body is left before anybody is asked. */
  during(key: string, options: DuringOptions, body: () => Promise<void>): Promise<void>;
  /** One operation for each of many subjects, some at a time; what has been done stays, whatever becomes of the rest. */
  fanOut(key: string, options: FanOutOptions): Promise<FanOutResult>;
  /** What a person should know although the step went well; the operation then ends with warnings. */
  warn(key: string, message: string): void;
  /** Undoes what other operations of the subject have left; what fails is left over again. */
  undoLeft(undos: LeftUndo[]): Promise<void>;
  /** The point of no return: nothing before it is undone, everything after it only goes forward. */
  commit(): void;
}

export type Story<Params, Result> = (op: Operation<Params>) => Promise<Result>;
