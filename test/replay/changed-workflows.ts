/** `setAdminPassword` as somebody might change it without a thought for open executions; for the negative tests. */
import type { ProductActivities } from '../../activities/product/commands.js';
import type { ClientRecords } from '../../activities/records/client-records.js';
import type { JobActivities } from '../../activities/servers/jobs.js';
import type { SetAdminPasswordParams } from '../../workflows/contract/clients.js';
import type { OperationInput } from '../../workflows/contract/operation.js';
import { acts } from '../../workflows/operation/acts.js';
import { type Operation, runOperation } from '../../workflows/operation/operation.js';

const records = acts<ClientRecords>();
const product = acts<ProductActivities>();
const jobs = acts<JobActivities>();

const definition = {
  kind: 'set_admin_password',
  subject: ({ clientId }: SetAdminPasswordParams) => `client:${clientId}`,
  title: ({ clientId }: SetAdminPasswordParams) => `Set the administrator's password of client ${clientId}`,
  attributes: ({ clientId }: SetAdminPasswordParams) => ({ ClientId: String(clientId) }),
  tidy: ({ clientId }: SetAdminPasswordParams, operation: string) => jobs.removeJobs({ clientId, operation }),
  validate: () => undefined,
};

type Input = OperationInput<SetAdminPasswordParams>;

/** Not changed at all: what the others are compared with. */
export function unchanged(input: Input): Promise<void> {
  return runOperation(definition, input, (op) => setPassword(op, op.params.password));
}

export function withChangedArgument(input: Input): Promise<void> {
  return runOperation(definition, input, (op) => setPassword(op, op.params.password.toLowerCase()));
}

export function withExtraStep(input: Input): Promise<void> {
  return runOperation(definition, input, async (op) => {
    await setPassword(op, op.params.password);
    const { clientId } = op.params;
    await op.step('activate', { title: 'Record as active', do: records.activateClient({ clientId }) });
  });
}

async function setPassword(op: Operation<SetAdminPasswordParams>, password: string): Promise<void> {
  const { clientId } = op.params;
  const client = await op.step('find', {
    title: 'Look the client up',
    do: records.requireClientThing({ clientId }),
  });
  await op.step('password', {
    title: "Set the administrator's password",
    do: product.setAdminPassword({ ...client, password }),
  });
}
