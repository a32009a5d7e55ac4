import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import type { Host } from '../../hosts/host.js';
import type { Connections } from '../connections.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { compareScript, sumsScript } from './sums.js';
import { DATA_TIMEOUT_MS, type SumsOf } from './workspace.js';

/** Where a dump is: on the client's own server. */
type Dumped = ClientThing & { path: string };

/** Whether what has arrived is what was sent. */
export function createComparisonActivities(connections: Connections) {
  const hosts = createClientHosts(connections);

  const sumUp = async (thing: Dumped, of: SumsOf, step: StepContext): Promise<Host> => {
    const host = await hosts.open(thing.names.serverId, step);
    const { server, facts } = host;
    const side = { thing, server, of, path: thing.path };
    const script = sumsScript({ ...side, docker: facts.docker, containerName: jobKey(step) });
    await hosts.runSqlJob(host, step, { script, timeoutMs: DATA_TIMEOUT_MS });
    return host;
  };

  return {
    /** What the moved data is compared with; nothing must write to the client meanwhile. */
    async sumSource(thing: Dumped, step: StepContext): Promise<void> {
      await sumUp(thing, 'source', step);
    },

    /** Rows and sums of every table, and sums and rights of every file, against those of the source. */
    async compareWithSource(thing: Dumped, step: StepContext): Promise<void> {
      const host = await sumUp(thing, 'target', step);
      const { stdout } = await hosts.run(host, step, compareScript(thing.path), {
        what: `comparing ${thing.names.name}`,
        quotesAll: true,
      });
      const [, tables, rows, files] = /equal (\d+) (\d+) (\d+)\s*$/.exec(stdout) ?? [];
      step.summarize(`equal: ${tables} tables with ${rows} rows, ${files} files`);
    },
  };
}
