import type { ChangeRef } from '../../../workflows/contract/clients/client-change.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { changedClient, type Connections } from '../connections.js';
import { baseData } from './commands.js';
import type { ProductCommandName } from '../product/profile.js';
import { createProductCommands } from './run-command.js';

export type ReversibleCommands = ReturnType<typeof createReversibleCommands>;

/** What the product itself changes of a client that exists, and takes back. Passwords stay as they are. */
export function createReversibleCommands(connections: Connections) {
  const { clients } = connections;
  const { runCommand, runUndoCommand } = createProductCommands(connections);

  /** Every command is also the undo of its opposite. */
  const run = (thing: ClientThing, step: StepContext, name: ProductCommandName) => {
    const command = { thing, step, name };
    return step.phase === 'undo' ? runUndoCommand(command) : runCommand(command).then(() => undefined);
  };

  return {
    /** Laboratory and administrator as the operation `change` will have them; a new login renames the administrator. */
    changeBaseData: async (
      { change, ...thing }: ClientThing & ChangeRef,
      step: StepContext,
    ): Promise<void> => {
      const { clientId } = thing.names;
      const before = await clients.get(clientId);
      const after = await changedClient(connections, clientId, { change });
      const renamed = before.adminLogin === after.adminLogin ? {} : { rename_from: before.adminLogin };
      const data = { ...baseData(after), ...renamed };
      await runCommand({ thing, step, name: 'createAdministrator', data });
    },

    /** Undo of `changeBaseData`: as the client's row has them, which was not changed or has been put back. */
    restoreBaseData: async (
      { change, ...thing }: ClientThing & ChangeRef,
      step: StepContext,
    ): Promise<void> => {
      const { clientId } = thing.names;
      const before = await clients.get(clientId);
      const after = await changedClient(connections, clientId, { change });
      const renamed = before.adminLogin === after.adminLogin ? {} : { rename_back_from: after.adminLogin };
      const data = { ...baseData(before), ...renamed };
      await runUndoCommand({ thing, step, name: 'createAdministrator', data });
    },

    switchDemo: (
      { enabled, ...thing }: ClientThing & { enabled: boolean },
      step: StepContext,
    ): Promise<void> => run(thing, step, enabled ? 'seedDemo' : 'unseedDemo'),

    switchMaintenance: ({ on, ...thing }: ClientThing & { on: boolean }, step: StepContext): Promise<void> =>
      run(thing, step, on ? 'maintenanceOn' : 'maintenanceOff'),
  };
}
