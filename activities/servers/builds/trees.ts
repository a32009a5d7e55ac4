import { mark } from '../../../workflows/contract/operation/ids.js';
import type { Build } from '../../../workflows/contract/servers/builds.js';
import { type Script, sh } from '../../ssh/shell.js';

/** Below a server's base_dir (`docs/contract/servers.md`, Build). */
export const TREES = {
  /** checkout of the repository */
  git: 'git',
  /** its copy without `.git`: what images are built from, with the clients' directories in it */
  docker: 'docker',
  /** checkout in which the build commands run */
  www: 'www',
} as const;

/** The trees are locked by somebody else: 73 is EX_CANTCREAT of sysexits. */
export const LOCKED_EXIT = 73;

/** A ref of our own, so that no branch of the server's people is moved by a fetch. */
export const FETCHED_REF = 'refs/slipway/build';

/** Nobody is there to answer a question. */
export const GIT_ENVIRONMENT = sh`export GIT_TERMINAL_PROMPT=0 LC_ALL=C GIT_SSH_COMMAND='ssh -o BatchMode=yes -o ConnectTimeout=15'`;

function lockFile(baseDir: string): string {
  return `${baseDir}/slipway/trees.lock`;
}

/** Made beside and linked, so that a lock is never there without its holder's name. */
export function lockScript({ operation }: Build, baseDir: string): Script {
  return sh`
lock=${lockFile(baseDir)} mine=${mark(operation)}
made=$lock.$$
trap 'rm -f -- "$made"' EXIT
printf '%s\n' "$mine" > "$made"
if ln -T -- "$made" "$lock" 2>/dev/null; then exit 0; fi
holder=
IFS= read -r holder < "$lock" || true
[ "$holder" = "$mine" ] || { printf '%s\n' "$holder" >&2; exit ${LOCKED_EXIT}; }`;
}

/** Another one's lock stays. */
export function unlockScript({ operation }: Build, baseDir: string): Script {
  return sh`
lock=${lockFile(baseDir)}
holder=
if [ -e "$lock" ]; then IFS= read -r holder < "$lock" || true; fi
[ "$holder" != ${mark(operation)} ] || rm -f -- "$lock"`;
}

/**
 * Shell functions around one tree and a snapshot of it, which lies in the tree itself, where renames need no room:
 * `open_tree <dir>`, `take_snapshot`, `restore_snapshot`, `forget_snapshot`. Each may be cut anywhere and run again.
 * Never touched: `.git`, whose position is kept by name, the clients' directories, and snapshots.
 */
export function snapshots(operation: string): Script {
  const name = `.slipway-${operation.toLowerCase()}`;
  return sh`
shopt -s dotglob nullglob
open_tree() { tree=$1; snapshot=$tree/${name}; }
is_ours() { case $1 in .git | clients | .slipway-*) return 1 ;; esac; }
place_of() { printf '%s\n%s\n' "$(git -C "$tree" symbolic-ref -q HEAD)" "$(git -C "$tree" rev-parse -q --verify HEAD)"; }
take_snapshot() {
  [ ! -d "$snapshot.back" ] || restore_snapshot
  [ ! -d "$snapshot" ] || return 0
  local entry
  for entry in "$tree"/.slipway-*; do rm -rf -- "$entry"; done
  mkdir -- "$snapshot.part"
  [ ! -e "$tree/.git" ] || place_of > "$snapshot.place" || true
  for entry in "$tree"/*; do
    if is_ours "\${entry##*/}"; then cp -a --reflink=auto -- "$entry" "$snapshot.part/"; fi
  done
  mv -T -- "$snapshot.part" "$snapshot"
}
put_back() {
  if [ -d "$2" ] && [ ! -L "$2" ] || [ -d "$1" ]; then rm -rf -- "$2"; fi
  mv -fT -- "$1" "$2"
}
restore_snapshot() {
  local entry name
  if [ -d "$snapshot" ]; then
    for entry in "$tree"/*; do
      name=\${entry##*/}
      if is_ours "$name" && [ ! -e "$snapshot/$name" ] && [ ! -L "$snapshot/$name" ]; then rm -rf -- "$entry"; fi
    done
    mv -T -- "$snapshot" "$snapshot.back"
  fi
  for entry in "$snapshot.back"/*; do put_back "$entry" "$tree/\${entry##*/}"; done
  if [ -e "$snapshot.place" ] && [ -e "$tree/.git" ]; then restore_place; fi
  forget_snapshot
}
restore_place() {
  local branch commit
  { read -r branch; read -r commit; } < "$snapshot.place" || true
  [ -z "$branch" ] || git -C "$tree" symbolic-ref HEAD "$branch"
  if [ -n "$commit" ]; then
    if [ -n "$branch" ]; then git -C "$tree" update-ref "$branch" "$commit"; else git -C "$tree" update-ref --no-deref HEAD "$commit"; fi
    git -C "$tree" reset -q
  else
    [ -z "$branch" ] || git -C "$tree" update-ref -d "$branch" || true
    git -C "$tree" read-tree --empty
  fi
}
forget_snapshot() { rm -rf -- "$snapshot" "$snapshot.part" "$snapshot.back" "$snapshot.place"; }`;
}

/** Fetches the branch into both checkouts, and prints `commit <id>` last; nothing that is checked out moves. */
export function fetchScript(
  baseDir: string,
  { repository, branch }: { repository: string; branch: string },
): Script {
  return sh`
${GIT_ENVIRONMENT}
git=${`${baseDir}/${TREES.git}`} www=${`${baseDir}/${TREES.www}`}
open_checkout() {
  [ -e "$1/.git" ] && return 0
  [ -d "$1" ] || { echo "there is no directory $1"; exit 1; }
  [ -z "$(ls -A -- "$1")" ] || { echo "$1 is neither empty nor a checkout of the repository"; exit 1; }
  git init -q -- "$1"
}
open_checkout "$git"
open_checkout "$www"
echo 'fetching '${branch}
git -C "$git" fetch --force --no-tags -- ${repository} ${`+refs/heads/${branch}:${FETCHED_REF}`}
git -C "$www" fetch -q --force --no-tags -- "$git" ${`+${FETCHED_REF}:${FETCHED_REF}`}
printf 'commit %s\n' "$(git -C "$git" rev-parse ${FETCHED_REF})"`;
}

export interface Code {
  operation: string;
  branch: string;
  commit: string;
}

/** Moves the checkout to the commit and copies it without `.git` to the build directory; files there change by rename. */
export function placeScript(baseDir: string, { operation, branch, commit }: Code): Script {
  return sh`
${GIT_ENVIRONMENT}
${snapshots(operation)}
docker=${`${baseDir}/${TREES.docker}`}
open_tree "$docker"
take_snapshot
open_tree ${`${baseDir}/${TREES.git}`}
changed=$(git -C "$tree" status --porcelain --untracked-files=no)
[ -d "$snapshot" ] || [ -z "$changed" ] || { printf '%s\n' "$tree has changes that are not in the repository:" "$changed"; exit 1; }
take_snapshot
former=
{ read -r _; read -r former; } < "$snapshot.place" || true
before=
[ -z "$former" ] || before=$(git -C "$tree" ls-tree --name-only "$former")
git -C "$tree" checkout -q -f -B ${branch} ${commit}
new=$docker/.slipway-new
rm -rf -- "$new"
mkdir -- "$new"
for entry in "$tree"/*; do
  if is_ours "\${entry##*/}"; then cp -a --reflink=auto -- "$entry" "$new/"; fi
done
while IFS= read -r name; do
  if [ -n "$name" ] && is_ours "$name" && [ ! -e "$tree/$name" ]; then rm -rf -- "$docker/$name"; fi
done <<< "$before"
for entry in "$new"/*; do put_back "$entry" "$docker/\${entry##*/}"; done
rmdir -- "$new"
printf '%s is at %s\n' "$docker" ${commit}`;
}

/** Build directory first: it is what clients are made from. */
export function restorePlaceScript(baseDir: string, operation: string): Script {
  return sh`
${snapshots(operation)}
open_tree ${`${baseDir}/${TREES.docker}`}
rm -rf -- "$tree/.slipway-new"
restore_snapshot
open_tree ${`${baseDir}/${TREES.git}`}
restore_snapshot`;
}

/** Resets the current code to the commit and runs the product's build commands in it, as its user's login would. */
export function codeScript(
  baseDir: string,
  { operation, branch, commit }: Code,
  commands: readonly (readonly string[])[],
): Script {
  const lines = commands.map(
    (command) => sh`
printf '$ %s\n' ${command.join(' ')}
${command} </dev/null`,
  );
  return sh`
${GIT_ENVIRONMENT}
${snapshots(operation)}
open_tree ${`${baseDir}/${TREES.www}`}
take_snapshot
git -C "$tree" checkout -q -f -B ${branch} ${commit}
printf '%s is at %s\n' "$tree" ${commit}
cd -- "$tree"
for file in "$HOME/nvm.sh" "$HOME/.nvm/nvm.sh"; do
  # it is not written for "set -eu"
  if [ -e "$file" ]; then set +eu; . "$file" >/dev/null 2>&1; set -eu; break; fi
done
shopt -u dotglob nullglob
${joined(lines)}`;
}

function joined(lines: readonly Script[]): Script {
  return lines.reduce((all, line) => sh`${all}${line}`, sh``);
}

export function restoreCodeScript(baseDir: string, operation: string): Script {
  return sh`
${snapshots(operation)}
open_tree ${`${baseDir}/${TREES.www}`}
restore_snapshot`;
}

export function forgetScript(baseDir: string, operation: string): Script {
  const trees = Object.values(TREES).map((tree) => `${baseDir}/${tree}`);
  return sh`
${snapshots(operation)}
for dir in ${trees}; do open_tree "$dir"; forget_snapshot; done`;
}
