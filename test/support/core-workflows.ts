/** Workflows that only tests of the operation core need, beside those of every test. */
import { failure } from '../../workflows/contract/operation/failures.js';
import type { OperationInput } from '../../workflows/contract/operation/operation.js';
import { activitiesOf, acts } from '../../workflows/operation/acts.js';
import { runOperation } from '../../workflows/operation/operation.js';
import type { WorldActivities } from './scripted-operation.js';

export * from './test-workflows.js';

/** Ten activities in a row and nothing around them. */
export async function tenActivities(): Promise<void> {
  const { noop } = activitiesOf<{ noop(): Promise<void> }>('test', { startToCloseTimeout: '10 seconds' });
  for (let count = 0; count < 10; count += 1) await noop();
}

const world = acts<WorldActivities>('test');

interface Params {
  subject: string;
}

const definition = {
  kind: 'scripted',
  workflow: 'scripted',
  subject: ({ subject }: Params) => subject,
  title: () => 'Scripted',
  validate: () => undefined,
};

/** One step whose attempts may take a second. */
export function hurried(input: OperationInput<Params>): Promise<void> {
  return runOperation(definition, input, async (op) => {
    await op.step('one', {
      title: 'one',
      do: world.make({ key: 'one', value: 'made', takesMs: 0 }),
      undo: world.unmake({ key: 'one' }),
      within: '1 second',
    });
  });
}

/** A story that finds out by itself that it cannot go on. */
export function refusing(input: OperationInput<Params>): Promise<void> {
  return runOperation(definition, input, async (op) => {
    await op.step('one', {
      title: 'one',
      do: world.make({ key: 'one', value: 'made', takesMs: 0 }),
      undo: world.unmake({ key: 'one' }),
    });
    throw failure('InvalidInput', 'this cannot be');
  });
}
