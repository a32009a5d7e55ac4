import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { type Script, sh } from '../../ssh/shell.js';
import type { Connections } from '../connections.js';
import { loadProfile } from '../product/profile.js';
import { refuseChanging } from './changing.js';
import { createClientHosts } from './client-hosts.js';
import {
  composeCommand,
  labelFilters,
  removeContainersScript,
  startScript,
  waitHealthyScript,
} from './containers.js';

/**
 * As long as an undo's attempt, less its last words: Compose starts a container in seconds, and the wait for its health
 * is bounded by the profile, at most some minutes.
 */
const START_TIMEOUT_MS = 9 * 60_000;
/** Docker gives each container 10 s before it kills it. */
const STOP_TIMEOUT_MS = 100_000;
/** As a stop, and volumes of many small files go with it. */
const REMOVE_TIMEOUT_MS = 110_000;

/** Whether a client's containers are there, and run. */
export function createRunningActivities(connections: Connections) {
  const hosts = createClientHosts(connections);

  const start = async (thing: ClientThing, step: StepContext, { anew }: { anew: boolean }): Promise<void> => {
    const host = await hosts.open(thing.names.serverId, step);
    const profile = loadProfile(thing.names.product);
    const script = startScript(thing, { facts: host.facts, profile, anew });
    await hosts.runJob(host, step, { script, timeoutMs: START_TIMEOUT_MS });
  };

  return {
    /** `docker compose up` and the wait for health as one job; `CommandFailed` quotes the end of the container's log. */
    startContainers: async (thing: ClientThing, step: StepContext): Promise<void> => {
      await start(thing, step, { anew: false });
      step.summarize(`${thing.names.name} is healthy`);
    },

    /** New containers by the Compose file as it is now, whatever was there; healthy when it answers. */
    startAnew: async (thing: ClientThing, step: StepContext): Promise<void> => {
      await start(thing, step, { anew: true });
      step.summarize(`${thing.names.name} is healthy with ${thing.names.image}`);
    },

    /** Undo of `startContainers`, and for a delete: by labels, so that it needs no files; nothing there is success. */
    removeContainers: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const { serverId, name } = thing.names;
      if (step.phase === 'undo') await hosts.endJobs(await hosts.reach(serverId), step);
      const host = await hosts.openAsIs(serverId, step);
      if (host.facts.missing.includes('docker')) return;
      await hosts.run(host, step, removeContainersScript(thing, host.facts.docker), {
        what: `removing the containers of ${name}`,
        timeoutMs: REMOVE_TIMEOUT_MS,
      });
    },

    /** Stops the client's containers; they stay stopped over a restart of Docker or the host. None there is success. */
    stopContainers: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const host = await hosts.open(thing.names.serverId, step);
      const script = stopScript(thing, host.facts.docker);
      await hosts.run(host, step, script, { timeoutMs: STOP_TIMEOUT_MS, quotesAll: true });
    },

    /**
     * Undo of `stopContainers`: starts them, or makes them by the client's Compose file where they are gone, and waits
     * for health. Refuses while the operation's change of the client's data is not taken back.
     */
    startStopped: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const host = await hosts.open(thing.names.serverId, step);
      const { facts } = host;
      const profile = loadProfile(thing.names.product);
      const script = sh`
${refuseChanging(thing.names, step)}
found=$(${facts.docker} ps -aq --no-trunc ${labelFilters(thing)} --filter label=com.docker.compose.oneoff=False </dev/null)
if [ -n "$found" ]; then
  ${facts.docker} update --restart always $found </dev/null >/dev/null
  ${facts.docker} start $found </dev/null >/dev/null
else
  ${composeCommand(thing, facts)} up -d --no-build </dev/null
fi
${waitHealthyScript(thing, { facts, profile })}`;
      await hosts.run(host, step, script, { timeoutMs: START_TIMEOUT_MS, quotesAll: true });
    },
  };
}

/** Their restart policy too, or a restarted Docker would start what was stopped on purpose. */
export function stopScript(thing: ClientThing, docker: readonly string[]): Script {
  return sh`
found=$(${docker} ps -aq --no-trunc ${labelFilters(thing)} </dev/null)
if [ -n "$found" ]; then
  ${docker} update --restart no $found </dev/null >/dev/null
  ${docker} stop $found </dev/null >/dev/null
fi`;
}
