import type { Definition } from '../../workflows/contract/operation/definition.js';
import type { AdmissionNeed } from '../../workflows/contract/operation/admission.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { OperationInput } from '../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { acts } from '../../workflows/operation/acts.js';
import { runOperation } from '../../workflows/operation/operation.js';
import { collectSignals } from '../../workflows/operation/signals.js';
import type { Operation } from '../../workflows/operation/story.js';

export interface ScriptedStep {
  key: string;
  undo?: boolean;
  onFail?: 'warn';
  skippable?: boolean;
  editable?: { fields: string[]; from?: string };
  /** the steps of this body run while the dangerous state `key` is entered */
  during?: ScriptedStep[];
  commitBefore?: boolean;
  /** milliseconds of work */
  takesMs?: number;
}

export interface ScriptedParams {
  subject: string;
  steps: ScriptedStep[];
  value?: string;
  admission?: AdmissionNeed;
  borrows?: string[];
  /** a signal whose payloads it answers beside the results of its steps */
  hears?: string;
}

export interface WorldActivities {
  make(input: { key: string; value: string; takesMs: number }, step: StepContext): Promise<string>;
  unmake(input: { key: string }, step: StepContext): Promise<void>;
}

const world = acts<WorldActivities>('test');

/** A test operation whose story is data: each step makes a thing in a small world, each undo removes it. */
export async function scripted(input: OperationInput<ScriptedParams>): Promise<string[]> {
  // what is started by hand may hold anything
  const hears = (input as Partial<typeof input> | undefined)?.params?.hears;
  const heard = hears === undefined ? [] : collectSignals(hears, input);
  const definition: Definition<ScriptedParams> = {
    kind: 'scripted',
    workflow: 'scripted',
    subject: (params: ScriptedParams) => params.subject,
    title: () => 'Scripted',
    places: ({ admission }: ScriptedParams) => admission?.places ?? [],
    admission: ({ admission }: ScriptedParams) =>
      admission && (admission.exclusive === true ? 'exclusive' : 'shared'),
    borrows: (params: ScriptedParams) => params.borrows ?? [],
    validate(params: ScriptedParams) {
      if (!Array.isArray(params.steps)) throw failure('InvalidInput', '"steps" must be a list');
    },
  };
  return runOperation(definition, input, async (op) => {
    const results = await tell(op, op.params.steps);
    return [...results, ...heard.map((payload) => JSON.stringify(payload))];
  });
}

async function tell(op: Operation<ScriptedParams>, steps: ScriptedStep[]): Promise<string[]> {
  const results: string[] = [];
  for (const step of steps) {
    if (step.commitBefore === true) op.commit();
    if (step.during === undefined) {
      results.push(await one(op, step));
      continue;
    }
    const { key, during } = step;
    await op.during(
      key,
      {
        title: key,
        enter: world.make({ key, value: 'entered', takesMs: 0 }),
        leave: world.unmake({ key }),
        leaveTitle: `leave ${key}`,
      },
      async () => {
        results.push(...(await tell(op, during)));
      },
    );
  }
  return results;
}

function one(op: Operation<ScriptedParams>, step: ScriptedStep): Promise<string> {
  const { key, onFail, skippable, editable, takesMs = 0 } = step;
  return op.step(key, {
    title: key,
    do: world.make({ key, value: op.params.value ?? 'made', takesMs }),
    planned: 'planned',
    ...(step.undo === false ? {} : { undo: world.unmake({ key }) }),
    ...(onFail === undefined ? {} : { onFail }),
    ...(skippable === undefined ? {} : { skippable }),
    ...(editable === undefined ? {} : { editable }),
  });
}
