/** `setAdminPassword` as somebody might change it without a thought for open executions; for the negative tests. */
import type { SetAdminPasswordParams } from '../../workflows/contract/clients/clients.js';
import type { OperationInput } from '../../workflows/contract/operation/operation.js';
import { activitiesOf } from '../../workflows/operation/acts.js';
import { setAdminPassword } from '../../workflows/index.js';

type Input = OperationInput<SetAdminPasswordParams>;

export function withChangedArgument(input: Input): Promise<void> {
  const { params } = input;
  return setAdminPassword({ ...input, params: { ...params, password: params.password.toLowerCase() } });
}

export async function withExtraStep(input: Input): Promise<void> {
  await setAdminPassword(input);
  const { countUsers } = activitiesOf<{ countUsers(): Promise<number> }>('clients', {
    startToCloseTimeout: '5 seconds',
  });
  await countUsers();
}
