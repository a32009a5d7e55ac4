/** A story with every member of an operation, for the tests of plans. */
import type { ChildToStart } from '../../workflows/contract/operation/fan-out.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { OperationInput } from '../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { acts } from '../../workflows/operation/acts.js';
import { runOperation } from '../../workflows/operation/operation.js';

export interface ShelfActivities {
  look(input: { shelf: string }, step: StepContext): Promise<{ free: number }>;
  put(input: { shelf: string; what: string }, step: StepContext): Promise<string>;
  take(input: { shelf: string; what: string }, step: StepContext): Promise<void>;
  every(input: { count: number }, step: StepContext): Promise<ChildToStart[]>;
  foresee(input: { shelf: string; what: string }, step: StepContext): Promise<string>;
}

export interface ShelfParams {
  shelf: string;
}

const shelves = acts<ShelfActivities>('test');

const definition = {
  kind: 'fill_shelf',
  workflow: 'fillShelf',
  subject: ({ shelf }: ShelfParams) => `client:${shelf}`,
  title: ({ shelf }: ShelfParams) => `Fill ${shelf}`,
  validate({ shelf }: ShelfParams) {
    if (typeof shelf !== 'string') throw failure('InvalidInput', '"shelf" must be a text');
  },
};

export function fillShelf(input: OperationInput<ShelfParams>): Promise<string> {
  return runOperation(definition, input, async (op) => {
    const { shelf } = op.params;
    const act = (what: string) => ({
      do: shelves.put({ shelf, what }),
      undo: shelves.take({ shelf, what }),
    });
    const { free } = await op.check('look', {
      title: 'Look at it',
      target: 'the shelf',
      do: shelves.look({ shelf }),
    });
    const first = await op.step('first', { title: 'Put a book', ...act('book'), planned: 'book #1' });
    const second = await op.step('second', {
      title: `Put a vase beside ${first}`,
      ...act('vase'),
      skippable: true,
      plannedBy: shelves.foresee({ shelf, what: 'vase' }),
    });
    await op.during(
      'closed',
      {
        title: 'Close the room',
        enter: shelves.put({ shelf, what: 'sign' }),
        leave: shelves.take({ shelf, what: 'sign' }),
        leaveTitle: 'Open the room',
      },
      async () => {
        await op.step('dust', { title: `Dust ${second}`, target: 'all', ...act('dust'), onFail: 'warn' });
      },
    );
    op.commit();
    if (free > 2) await op.step('last', { title: 'Put a lamp', ...act('lamp') });
    return second;
  });
}

interface EveryParams {
  count: number;
}

const everyShelf = {
  kind: 'fill_shelves',
  workflow: 'fillShelves',
  subject: () => 'fleet:fill',
  title: () => 'Fill every shelf',
  validate: () => undefined,
};

export function fillShelves(input: OperationInput<EveryParams>): Promise<void> {
  return runOperation(everyShelf, input, async (op) => {
    await op.fanOut('all', {
      title: 'Every shelf',
      list: shelves.every(op.params),
      of: definition,
      rules: { window: 1, canary: 0, stopAfterFailures: 0 },
    });
  });
}
