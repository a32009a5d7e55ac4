import { basename } from 'node:path';
import type { ClientNames, ClientThing } from '../../../workflows/contract/clients/clients.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import { joinScripts, type Script, sh } from '../../ssh/shell.js';
import { type ClientFile, FOREIGN_EXIT, giveEnvGroup, PUT_FILE, putFile } from './client-files.js';
import { CLIENT_FILES } from './compose-file.js';
import { rootContainer } from '../../docker/root-container.js';

/** The files of a refresh, in the order in which they are read and written. */
const REFRESHED = [CLIENT_FILES.env, CLIENT_FILES.phpIni, CLIENT_FILES.compose];
/** There is no directory of that name: 66 is EX_NOINPUT of sysexits. */
export const ABSENT_EXIT = 66;
/** Written before the containers are restarted, and says how: without it an undo leaves them alone. */
const RESTARTED = 'restarted';

/** Where what an operation replaces is kept until it is sure; beside the files, so that hard links do. */
function formerOf({ directory }: ClientNames, operation: string): string {
  return `${directory}/.slipway-former-${operation.toLowerCase()}`;
}

export interface PresentFiles {
  /** by path; absent ones are not in it */
  texts: ReadonlyMap<string, string>;
  /** what the operation has replaced already, by path */
  replaced: readonly string[];
}

/** Prints the present files and what is kept of earlier ones; changes nothing. */
export function readFilesScript(thing: ClientThing, operation: string): Script {
  const { directory } = thing.names;
  return sh`
dir=${directory} mark=${mark(thing.operation)} former=${formerOf(thing.names, operation)}
${REQUIRE_OURS}
for path in ${REFRESHED}; do
  if [ -f "$path" ]; then printf '%s\n' "$(base64 -w 0 -- "$path")"; else echo -; fi
done
[ ! -d "$former" ] || ls -A -- "$former"`;
}

const REQUIRE_OURS = sh`[ -d "$dir" ] || exit ${ABSENT_EXIT}
[ "$(head -n 1 -- "$dir/.slipway" 2>/dev/null)" = "$mark" ] || exit ${FOREIGN_EXIT}
cd -- "$dir"`;

export function readPresentFiles(stdout: string): PresentFiles {
  const lines = stdout.split('\n');
  const texts = new Map<string, string>();
  REFRESHED.forEach((path, index) => {
    const line = lines[index] ?? '-';
    if (line !== '-') texts.set(path, Buffer.from(line, 'base64').toString('utf8'));
  });
  return { texts, replaced: replacedPaths(lines.slice(REFRESHED.length)) };
}

/** Of the names in the directory of former files, those of files. */
export function replacedPaths(kept: readonly string[]): string[] {
  return REFRESHED.filter((path) => kept.some((name) => name.replace(/\.absent$/, '') === basename(path)));
}

/**
 * Replaces the files that come on standard input; what was there before is kept under a second name, so that an undo
 * puts back the very same file. Prints what is kept.
 */
export function replaceFilesScript(input: {
  thing: ClientThing;
  operation: string;
  files: readonly ClientFile[];
  envGid: number;
  docker: readonly string[];
}): Script {
  const { thing, operation, files, envGid, docker } = input;
  const steps = files.map(
    (file) => sh`keep ${file.path}
${putFile(file)}`,
  );
  return sh`
dir=${thing.names.directory} mark=${mark(thing.operation)} former=${formerOf(thing.names, operation)}
${rootContainer(docker, thing.names)}
${REQUIRE_OURS}
# what an earlier operation was done with, and could not take away
for left in .slipway-former-*; do [ "$dir/$left" = "$former" ] || rm -rf -- "$left"; done
[ -d "$former" ] || mkdir -m 700 -- "$former"
mkdir -p php
keep() {
  local kept=$former/\${1##*/}
  if [ -e "$kept" ] || [ -e "$kept.absent" ]; then return 0; fi
  if [ ! -e "$1" ]; then : > "$kept.absent"; return 0; fi
  ln -- "$1" "$kept" 2>/dev/null || { cp -p -- "$1" "$kept.copy"; mv -- "$kept.copy" "$kept"; }
}
${PUT_FILE}
${joinScripts(steps)}
work=$dir
${giveEnvGroup(envGid)}
ls -A -- "$former"`;
}

/** Before a restart that an operation makes because of its files. */
export function markRestartScript(thing: ClientThing, operation: string, recreate: boolean): Script {
  return sh`
former=${formerOf(thing.names, operation)}
[ ! -d "$former" ] || printf '%s\n' ${recreate ? 'recreate' : 'restart'} > "$former"/${RESTARTED}`;
}

/**
 * Puts back what an operation has replaced, and runs `restart` when the containers have seen the new files; there
 * `$restarted` is `recreate` or `restart`. Nothing kept is success. Writes nothing.
 */
export function restoreFilesScript(input: {
  thing: ClientThing;
  operation: string;
  restart: Script;
}): Script {
  const { thing, operation, restart } = input;
  const backs = REFRESHED.map((path) => sh`back ${path}`);
  return sh`
dir=${thing.names.directory} mark=${mark(thing.operation)} former=${formerOf(thing.names, operation)}
[ -d "$former" ] || exit 0
${REQUIRE_OURS}
back() {
  local kept=$former/\${1##*/}
  if [ -e "$kept" ]; then mv -f -- "$kept" "$1"; elif [ -e "$kept.absent" ]; then rm -f -- "$1"; fi
}
${joinScripts(backs)}
if [ -e "$former"/${RESTARTED} ]; then
  restarted=$(cat -- "$former"/${RESTARTED})
  ${restart}
fi
rm -rf -- "$former"`;
}

/** Once nothing is undone any more. */
export function dropFormerScript(thing: ClientThing, operation: string): Script {
  return sh`rm -rf -- ${formerOf(thing.names, operation)}`;
}
