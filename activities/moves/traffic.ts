import type { ClientThing } from '../../workflows/contract/clients.js';
import type { StepContext } from '../../workflows/contract/step.js';
import { type Connections, nameOf } from '../connections.js';
import { parkScript, unparkScript } from '../docker/containers.js';
import { dockerFailure } from '../docker/docker-errors.js';
import { createHostAccess } from '../docker/host-access.js';
import { createNginxActivities } from '../nginx/activities.js';
import { loadProfile } from '../product/profile.js';
import type { Script } from '../ssh/shell.js';

/** Docker gives a container 10 s to stop; a client may have several. */
const PARK_TIMEOUT_MS = 110_000;
/** As for a start: the wait for health is bounded by the profile, at most some minutes. */
const UNPARK_TIMEOUT_MS = 9 * 60_000;

/** A client off its visitors and back: nginx answers for it, its containers stand still and stay so over reboots. */
export function createTrafficActivities(connections: Connections) {
  const { openHost } = createHostAccess(connections);
  const { publishVhost } = createNginxActivities(connections);

  /** Attached, as it must also work on a full disk: a job would have to write. */
  const runAttached = async (
    thing: ClientThing,
    step: StepContext,
    make: (host: Awaited<ReturnType<typeof openHost>>) => { script: Script; timeoutMs: number },
  ): Promise<void> => {
    const host = await openHost(thing.names.serverId, step);
    const { script, timeoutMs } = make(host);
    const { exitCode, stdout, stderr } = await connections.ssh.run(host.target, script, {
      fence: step,
      timeoutMs,
    });
    if (exitCode === 0) return;
    const what = `${step.title} on ${nameOf(host.server)}`;
    throw dockerFailure({ what, exitCode, output: `${stdout}${stderr}` });
  };

  return {
    /** nginx answers 503 in its place, then its containers are stopped: whoever got an answer before was served whole. */
    async closeTraffic(thing: ClientThing, step: StepContext): Promise<void> {
      await publishVhost({ ...thing, variant: 'maintenance' }, step);
      await runAttached(thing, step, ({ facts }) => ({
        script: parkScript(thing, facts.docker),
        timeoutMs: PARK_TIMEOUT_MS,
      }));
    },

    /** Started, healthy, then live again; nothing changes where it is so already. */
    async openTraffic(thing: ClientThing, step: StepContext): Promise<void> {
      const profile = loadProfile(thing.names.product);
      await runAttached(thing, step, ({ facts }) => ({
        script: unparkScript(thing, { facts, profile }),
        timeoutMs: UNPARK_TIMEOUT_MS,
      }));
      await publishVhost({ ...thing, variant: 'live' }, step);
    },
  };
}
