import type { Build, BuildImageParams } from '../../../workflows/contract/servers/builds.js';
import { failure, kindOf } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { AUTO_VERSION, nextVersion } from '../../../workflows/contract/clients/versions.js';
import type { Connections } from '../../clients/connections.js';
import { nameOf } from '../../hosts/connections.js';
import { loadProfile } from '../../clients/product/profile.js';
import { createHosts, type FailedExit, type Host, type HostScript } from '../../hosts/host.js';
import { classifyExit } from '../../ssh/errors.js';
import type { Script } from '../../ssh/shell.js';
import { gitFailure } from '../../git/git-errors.js';
import { imageScript, removeImageScript, versionsScript } from './image.js';
import {
  codeScript,
  fetchScript,
  forgetScript,
  LOCKED_EXIT,
  lockScript,
  placeScript,
  restoreCodeScript,
  restorePlaceScript,
  unlockScript,
} from './trees.js';

export type BuildActivities = ReturnType<typeof createBuildActivities>;

/** A first clone of a large repository over a slow line; a little less than its step may take. */
const FETCH_TIMEOUT_MS = 29 * 60_000;
/** The copies are local, of at most some gigabytes. */
const COPY_TIMEOUT_MS = 29 * 60_000;
/** Dependencies from the network and a front end: minutes, on a small server an hour. */
const BUILD_TIMEOUT_MS = 115 * 60_000;
/** Renames, and the removal of a snapshot with many small files. */
const RESTORE_TIMEOUT_MS = 5 * 60_000;
const FORGET_TIMEOUT_MS = 110_000;

type Code = Build & { commit: string };

/** Code and image of a product's version on one server. */
export function createBuildActivities(connections: Connections) {
  const hosts = createHosts(connections);
  const profileOf = ({ server }: Host) => loadProfile(server.product);
  /** First ends what the act may still run. */
  const runUndo = async (host: Host, step: StepContext, script: Script, how?: HostScript): Promise<void> => {
    if (step.phase === 'undo') await hosts.endJobs(host, step);
    await hosts.run(host, step, script, how);
  };

  return {
    /** Changes nothing. `Conflict` when the version is there and is to be refused; `kept`: it is there, and stays as it is. */
    async surveyBuild(
      { serverId, operation, branch, version: wanted, existing }: BuildImageParams & { operation: string },
      step: StepContext,
    ): Promise<{ build: Build; kept: boolean }> {
      const host = await hosts.open(serverId, step);
      const { image: repository, branches } = profileOf(host);
      const { stdout } = await hosts.look(host, step, versionsScript(repository, host.facts.docker));
      const ids = tagsOf(stdout);
      const version = wanted === AUTO_VERSION ? nextVersion([...ids.keys()], branch) : wanted;
      const image = `${repository}:${version}`;
      const formerImage = ids.get(version) ?? null;
      if (formerImage !== null && existing === 'refuse') {
        throw failure('Conflict', `${image} is on ${nameOf(host.server)} already`, {
          hint: 'build another version, or this one anew with force=true',
        });
      }
      step.summarize(image);
      const build = { serverId, operation, branch: branches[branch], version, image, formerImage };
      return { build, kept: formerImage !== null && existing === 'keep' };
    },

    /** `Conflict` names whoever else holds the lock. */
    async lockTrees(build: Build, step: StepContext): Promise<void> {
      const host = await hosts.open(build.serverId, step, []);
      const { baseDir } = host.server;
      await hosts.run(host, step, lockScript(build, baseDir), {
        failed: ({ what, exitCode, output }) =>
          exitCode === LOCKED_EXIT
            ? failure('Conflict', `${what}: they are locked by ${output.trim() || 'somebody'}`, {
                hint: `see what works there; where nothing does, remove ${baseDir}/slipway/trees.lock`,
              })
            : gitFailure({ what, exitCode, output }),
      });
    },

    /** Succeeds when the lock is gone, leaves another one's. */
    async unlockTrees(build: Build, step: StepContext): Promise<void> {
      const host = await hosts.open(build.serverId, step, []);
      await hosts.run(host, step, unlockScript(build, host.server.baseDir));
    },

    /** The newest commit of the branch, brought into both checkouts; what is checked out stays. */
    async fetchCode(build: Build, step: StepContext): Promise<string> {
      const host = await hosts.open(build.serverId, step, []);
      const { repository } = profileOf(host);
      const { tail } = await hosts.runJob(host, step, {
        script: fetchScript(host.server.baseDir, { repository, branch: build.branch }),
        timeoutMs: FETCH_TIMEOUT_MS,
        failed: gitFailure,
      });
      const commit = /^commit ([0-9a-f]{40,64})\s*$/m.exec(tail)?.[1];
      if (commit === undefined) throw new Error(`a fetch without a commit: ${tail}`);
      step.summarize(commit);
      return commit;
    },

    /** `/srv/git` at the commit, copied without `.git` to `/srv/docker`; the clients' directories there stay untouched. */
    async placeBuildDirectory(code: Code, step: StepContext): Promise<void> {
      const host = await hosts.open(code.serverId, step, []);
      const script = placeScript(host.server.baseDir, code);
      await hosts.runJob(host, step, { script, timeoutMs: COPY_TIMEOUT_MS, failed: gitFailure });
    },

    /** Undo of `placeBuildDirectory`: both trees as its snapshots have them; without snapshots nothing was moved. */
    async restoreBuildDirectory({ serverId, operation }: Build, step: StepContext): Promise<void> {
      const host = await hosts.open(serverId, step, []);
      const script = restorePlaceScript(host.server.baseDir, operation);
      await runUndo(host, step, script, { timeoutMs: RESTORE_TIMEOUT_MS });
    },

    /** `/srv/www` reset to the commit, and the profile's build commands in it; `CommandFailed` quotes their output's end. */
    async buildCode(code: Code, step: StepContext): Promise<void> {
      const host = await hosts.open(code.serverId, step, []);
      const script = codeScript(host.server.baseDir, code, profileOf(host).buildCommands);
      await hosts.runJob(host, step, {
        script,
        timeoutMs: BUILD_TIMEOUT_MS,
        failed: buildFailure,
      });
    },

    /** Undo of `buildCode`, with what the build commands have made. */
    async restoreCode({ serverId, operation }: Build, step: StepContext): Promise<void> {
      const host = await hosts.open(serverId, step, []);
      const script = restoreCodeScript(host.server.baseDir, operation);
      await runUndo(host, step, script, { timeoutMs: RESTORE_TIMEOUT_MS });
    },

    async buildImage({ commit, ...build }: Code, step: StepContext): Promise<void> {
      const host = await hosts.open(build.serverId, step);
      const { versionArgument } = profileOf(host);
      const { baseDir } = host.server;
      const { docker } = host.facts;
      const script = imageScript({ build, commit, docker, baseDir, versionArgument });
      await hosts.runJob(host, step, { script, timeoutMs: BUILD_TIMEOUT_MS });
      step.summarize(build.image);
    },

    /** Undo of `buildImage`: another image of that name stays, and a replaced one gets its name back. */
    async removeImage(build: Build, step: StepContext): Promise<void> {
      const host = await hosts.open(build.serverId, step, []);
      if (host.facts.missing.includes('docker')) return;
      await runUndo(host, step, removeImageScript(build, host.facts.docker));
    },

    /** What the undos of a build needed. */
    async forgetFormer({ serverId, operation }: Build, step: StepContext): Promise<void> {
      const host = await hosts.open(serverId, step, []);
      const script = forgetScript(host.server.baseDir, operation);
      await hosts.run(host, step, script, { timeoutMs: FORGET_TIMEOUT_MS });
    },
  };
}

/** A build command's own words may sound like git's: it is not run again because of them. */
function buildFailure(exit: FailedExit): Error {
  const made = gitFailure(exit);
  const { what: command, exitCode, output: stderr } = exit;
  return kindOf(made) === 'Unavailable' ? classifyExit({ command, exitCode, stderr }) : made;
}

/** Ids by tag; images without a name are no versions. */
function tagsOf(text: string): Map<string, string> {
  const lines = text.split('\n').flatMap((line) => {
    const [kind, tag = '', id = ''] = line.split('|');
    return kind === 'tag' && tag !== '<none>' ? [[tag, id] as const] : [];
  });
  return new Map(lines);
}
