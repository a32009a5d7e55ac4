import type { LeftUndo } from '../contract/operation/cleanup.js';
import type { FanOutResult } from '../contract/operation/fan-out.js';
import type { FanOutOptions } from './fan-out/state.js';
import type { CheckOptions, DuringOptions, TakeStep } from './step-options.js';

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
