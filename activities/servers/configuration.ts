import { failure } from '../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { Connections } from '../clients/connections.js';
import { createHosts, type FailedExit } from '../hosts/host.js';
import { classifyExit } from '../ssh/errors.js';
import { type Script, sh } from '../ssh/shell.js';

export type ConfigurationActivities = ReturnType<typeof createConfigurationActivities>;

/** As long as the step of those who use it. */
const PULL_TIMEOUT_MS = 29 * 60_000;
/** Another job of Slipway has the trees of this host: 75 is EX_TEMPFAIL of sysexits. */
const LOCKED_EXIT = 75;
/** A pull takes seconds; a build, which has the same lock, holds it for minutes and is tried again after. */
const LOCK_WAIT_SECONDS = 60;

export function createConfigurationActivities(connections: Connections) {
  const hosts = createHosts(connections);
  return {
    /**
     * Pulls `/srv/git` and copies what it holds, without `.git`, to `/srv/docker`, where the clients' own directories
     * stay as they are. Files that a pull has removed since the last copy go there too. Answers the commit.
     */
    async pullConfiguration(
      { serverId }: { serverId: number },
      step: StepContext,
    ): Promise<{ commit: string }> {
      const host = await hosts.reach(serverId);
      const { baseDir } = host.server;
      const { tail } = await hosts.runJob(host, step, {
        script: lockedTrees(baseDir, pullScript(baseDir)),
        timeoutMs: PULL_TIMEOUT_MS,
        failed: (exit) => pullFailure(exit, baseDir),
      });
      const commit = /^commit ([0-9a-f]{40,64})$/m.exec(tail)?.[1] ?? '';
      step.summarize(commit.slice(0, 12));
      return { commit };
    },
  };
}

/** What git says when the other side is away for now. */
const AWAY =
  /could not resolve host|connection (?:timed out|refused|reset)|early eof|the remote end hung up|returned error: 5\d\d/i;

function isTransient(exitCode: number, tail: string): boolean {
  return exitCode === LOCKED_EXIT || AWAY.test(tail);
}

function pullFailure({ what, exitCode, output }: FailedExit, baseDir: string): Error {
  if (exitCode === LOCKED_EXIT) return failure('Unavailable', `${what}: another job works on ${baseDir}/git`);
  if (isTransient(exitCode, output)) return failure('Unavailable', `${what}: ${output}`);
  return classifyExit({ command: what, exitCode, stderr: output });
}

/** Runs while nobody else pulls or builds there: the lock falls with the job, whatever becomes of it. */
export function lockedTrees(baseDir: string, script: Script): Script {
  return sh`
mkdir -p -- ${`${baseDir}/slipway`}
exec 9> ${`${baseDir}/slipway/trees.lock`}
flock -w ${LOCK_WAIT_SECONDS} 9 || { echo 'the trees are locked'; exit ${LOCKED_EXIT}; }
${script}`;
}

/** Each file is renamed into its place, so that whoever reads `.env.example` meanwhile reads a whole one. */
export function pullScript(baseDir: string): Script {
  return sh`
set -eu
export GIT_TERMINAL_PROMPT=0 LC_ALL=C
git=${`${baseDir}/git`} docker=${`${baseDir}/docker`}
copied=$docker/.slipway-copied made=$docker/.slipway-new
cd -- "$git"
# a clean-up that git starts in the background would keep the lock
git -c gc.autoDetach=false -c maintenance.autoDetach=false pull --ff-only 2>&1
commit=$(git rev-parse HEAD)
rm -rf -- "$made"
mkdir -- "$made"
tar --exclude=./.git --exclude=./clients -cf - . | tar -C "$made" -xpf -
cd -- "$made"
find . -mindepth 1 -type d -print0 | xargs -0 -r sh -c 'cd -- "$0" && mkdir -p -- "$@"' "$docker"
find . ! -type d -print0 | xargs -0 -r sh -c 'for file; do mv -fT -- "$file" "$0/$file"; done' "$docker"
cd -- "$git"
before=$(cat -- "$copied" 2>/dev/null || true)
if [ -n "$before" ] && git cat-file -e "$before^{commit}" 2>/dev/null; then
  git diff -z --no-renames --name-only --diff-filter=D "$before" "$commit" -- . ':!clients' |
    xargs -0 -r sh -c 'cd -- "$0" && rm -f -- "$@"' "$docker"
fi
rm -rf -- "$made"
printf '%s\n' "$commit" > "$copied"
echo "commit $commit"`;
}
