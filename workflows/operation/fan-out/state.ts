import { CancellationScope } from '@temporalio/workflow';
import type { ChildToStart, FanOutRules } from '../../contract/operation/fan-out.js';
import type { Definition } from '../../contract/operation/definition.js';
import type { Act } from '../../contract/operation/step.js';
import { type ChildEntry, newTable, type Table } from './table.js';
import type { Run } from '../run.js';

export interface FanOutOptions {
  title: string;
  /** who takes part, in the order of starting */
  list: Act<ChildToStart[]>;
  /** what every child is */
  of: Pick<Definition<never>, 'kind' | 'workflow' | 'title'>;
  rules: FanOutRules;
}

/** What all parts of one fan-out look at and change. */
export interface FanOutState {
  readonly run: Run;
  readonly key: string;
  readonly options: FanOutOptions;
  readonly children: readonly ChildToStart[];
  readonly table: Table;
  /** an earlier run of the chain has begun it */
  readonly continued: boolean;
  /** nothing more is started: a person said so, cancelled, or let the window pass */
  closing: boolean;
  /** rises with everything that happens, so that the loop looks again */
  changes: number;
  /** starts that are on their way; the run is not continued as new before they are answered */
  starting: number;
  /** what the step's line said last */
  recorded: string;
  /** waits for busy subjects; nobody waits any more once nothing is started */
  readonly busyWaits: CancellationScope;
}

/** The part of it that the next run of the chain is given. */
export interface CarriedTable {
  entries: [string, ChildEntry][];
  closing: boolean;
}

export function openState(
  parts: Pick<FanOutState, 'run' | 'key' | 'options' | 'children'>,
  carried: CarriedTable | undefined,
): FanOutState {
  return {
    ...parts,
    table: carried === undefined ? newTable(parts.children) : new Map(carried.entries),
    continued: carried !== undefined,
    closing: carried?.closing ?? false,
    changes: 0,
    starting: 0,
    recorded: '',
    busyWaits: new CancellationScope(),
  };
}

export function carriedTable({ table, closing }: FanOutState): CarriedTable {
  return { entries: [...table], closing };
}
