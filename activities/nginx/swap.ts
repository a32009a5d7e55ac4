import { basename, dirname } from 'node:path';
import { ASK_HTTP } from '../hosts/ask-http.js';
import { nginxWord } from '../templates/template.js';
import { type Script, sh } from '../ssh/shell.js';
import { LIST_SERVER_NAMES } from './server-names.js';
import { SWAP_EXITS } from './swap-failures.js';

/** Longer than any single swap: a test, a reload and the question behind it. */
const LOCK_WAIT_S = 30;
/** A reload of thousands of hosts takes about a second; after this the new configuration is not coming. */
const LOOKS = 100;
const LOOK_EVERY_S = 0.05;

export interface VhostFile {
  /** absolute, such as `/etc/nginx/conf.d/client42.conf` */
  path: string;
  /** its first line, by which it is known as ours */
  marker: string;
  /** words that run nginx with the rights to reload it */
  nginx: readonly string[];
}

/**
 * Common to every swap: one at a time per host, by a lock on the directory itself, which needs no file and falls with
 * its holder. A file goes out of the include as `.<file>.slipway-old`, which no `*` or `*.conf` matches; an empty one
 * says that there was nothing before. Whoever holds the lock and finds one has a dead attempt before it, and puts
 * back what was there.
 */
function underLock({ path, marker }: VhostFile): Script {
  return sh`
cd -- ${dirname(path)}
file=${basename(path)} marker=${marker}
old=.$file.slipway-old new=.$file.slipway-new
exec 7< .
flock -w ${LOCK_WAIT_S} 7 || exit ${SWAP_EXITS.busy}
repaired=
repair() {
  for left in .*.slipway-old; do
    [ -e "$left" ] || continue
    was=\${left#.}; was=\${was%.slipway-old}; repaired=1
    if [ -s "$left" ]; then mv -f -- "$left" "$was"; else rm -f -- "$was" "$left"; fi
  done
}
mine() { [ "$(head -n 1 -- "$file" 2>/dev/null)" = "$marker" ]; }
repair`;
}

export interface Publication extends VhostFile {
  hostname: string;
  /** what is asked through nginx afterwards */
  path80: string;
  /** regular expression of bash for the status that shows the new one: `^[23]` of the live, `^503` of the closed one */
  expected: string;
  /** of a refresh: nothing is done when the same text is there already, else the former file is kept under this operation */
  change?: string;
  /** size of the text that comes on standard input */
  plainBytes: number;
  /** a second text behind it, taken instead when nginx can serve with both files */
  tls?: { bytes: number; certificate: string; key: string };
}

/**
 * The nginx swap in one script (`docs/contract/clients.md`, Creating a client); exits as `SWAP_EXITS` says, with the
 * words on stderr.
 */
export function publishScript(publication: Publication): Script {
  const { path, hostname, nginx, plainBytes } = publication;
  return sh`${underLock(publication)}
if { [ -e "$file" ] || [ -L "$file" ]; } && ! mine; then exit ${SWAP_EXITS.foreignFile}; fi
${QUOTE}
dump=$(${nginx} -T 2>&1) || { quote "$dump"; exit ${SWAP_EXITS.neighbourBroken}; }
${refuseDuplicate({ path, hostname })}
umask 022
rm -f -- "$new"
head -c ${plainBytes} > "$new"
[ "$(stat -c %s -- "$new")" = ${plainBytes} ] || { rm -f -- "$new"; echo 'the file was cut short' >&2; exit 1; }
${takeTls(publication)}
${publication.change === undefined ? sh`:` : keepFormer(publication.change)}
if [ -e "$file" ]; then mv -f -- "$file" "$old"; else : > "$old"; fi
mv -f -- "$new" "$file"
words=$(${nginx} -t 2>&1) || { repair; quote "$words"; exit ${SWAP_EXITS.refused}; }
${reloading(nginx)}
reload || { repair; quote "$words"; exit ${SWAP_EXITS.notReloaded}; }
${askNginx(publication)}
serves || { repair; reload || true; echo "$answer" >&2; exit ${SWAP_EXITS.notServing}; }
rm -f -- "$old"
${publication.change === undefined ? sh`:` : sh`echo ${CHANGED}`}`;
}

/** Printed by a refresh whose operation has changed the file, now or in an earlier attempt. */
export const CHANGED = 'changed';

/** Beside the file, by a name that no include matches, as a second name of the same file; an empty one: there was none. */
function formerFile(change: string): Script {
  return sh`former=.$file.slipway-former-${change.toLowerCase()}`;
}

function keepFormer(change: string): Script {
  return sh`${formerFile(change)}
if [ -e "$file" ] && cmp -s -- "$new" "$file"; then
  rm -f -- "$new"
  [ ! -e "$former" ] || echo ${CHANGED}
  exit 0
fi
if [ ! -e "$former" ]; then
  # what an earlier operation was done with, and could not take away
  rm -f -- ".$file.slipway-former-"*
  if [ -e "$file" ]; then ln -- "$file" "$former"; else : > "$former"; fi
fi`;
}

/** Undo of a refresh: the former file is served again, byte for byte. Nothing kept, or somebody else's file there, is success. */
export function restoreScript(file: VhostFile, change: string): Script {
  return sh`
[ -d ${dirname(file.path)} ] || exit 0
${underLock(file)}
${formerFile(change)}
rm -f -- "$new"
[ -e "$former" ] || exit 0
if { [ -e "$file" ] || [ -L "$file" ]; } && ! mine; then exit 0; fi
${QUOTE}
if [ -e "$file" ]; then mv -f -- "$file" "$old"; else : > "$old"; fi
if [ -s "$former" ]; then ln -- "$former" "$file"; fi
dump=$(${file.nginx} -T 2>&1) || { repair; quote "$dump"; exit ${SWAP_EXITS.neighbourBroken}; }
${reloading(file.nginx)}
reload || { repair; quote "$words"; exit ${SWAP_EXITS.notReloaded}; }
rm -f -- "$old" "$former"`;
}

/** Once nothing is undone any more. */
export function dropFormerScript({ path }: Pick<VhostFile, 'path'>, change: string): Script {
  return sh`
[ -d ${dirname(path)} ] || exit 0
cd -- ${dirname(path)}
file=${basename(path)}
${formerFile(change)}
rm -f -- "$former"`;
}

/** Takes the file out when it is ours; nothing there, no directory or somebody else's file are no failures. Writes nothing. */
export function removeScript(file: VhostFile): Script {
  return sh`
[ -d ${dirname(file.path)} ] || exit 0
${underLock(file)}
rm -f -- "$new" ".$file.slipway-former-"* ${probePath(file.path)} ${probePath(file.path)}.pid
${QUOTE}
if ! mine && [ -z "$repaired" ]; then exit 0; fi
taken=
if mine; then mv -f -- "$file" "$old"; taken=1; fi
dump=$(${file.nginx} -T 2>&1) || { repair; quote "$dump"; exit ${SWAP_EXITS.neighbourBroken}; }
${reloading(file.nginx)}
# an nginx that does not run serves nothing
absent() { case $words in *'invalid PID'*|*'No such process'*|*'.pid" failed (2:'*) ;; *) return 1 ;; esac; }
reload || absent || { repair; quote "$words"; exit ${SWAP_EXITS.notReloaded}; }
[ -z "$taken" ] || rm -f -- "$old"`;
}

/** nginx's words on a failure stand in lines of this form; the dump of everything else is not for a message. */
const QUOTE = sh`quote() { printf '%s\n' "$1" | grep -E '^nginx: |^sudo: |\[(emerg|alert|crit|error)\]' >&2 || printf '%s\n' "$1" | tail -n 3 >&2; }`;

function refuseDuplicate({ path, hostname }: { path: string; hostname: string }): Script {
  return sh`
duplicate=$(printf '%s\n' "$dump" | ${LIST_SERVER_NAMES} | awk -F '|' -v own=${path} -v host=${hostname} '
  $2 != own { count = split($3, names, /[ \t"]+/); for (i = 1; i <= count; i++) if (tolower(names[i]) == host) { print $2; exit } }')
if [ -n "$duplicate" ]; then printf '%s\n' "$duplicate" >&2; exit ${SWAP_EXITS.duplicateName}; fi`;
}

/** A configuration of its own that names the two files and nothing else of the host's. */
function probeLines(path: string, { certificate, key }: { certificate: string; key: string }): string[] {
  return [
    `pid ${nginxWord(`${probePath(path)}.pid`)};`,
    'error_log stderr;',
    'events {}',
    'http { access_log off; server { listen 127.0.0.1:443 ssl;',
    `ssl_certificate ${nginxWord(certificate)}; ssl_certificate_key ${nginxWord(key)}; } }`,
  ];
}

/** No `*` or `*.conf` of an include matches it. */
function probePath(path: string): string {
  return `${dirname(path)}/.${basename(path)}.slipway-tls`;
}

/**
 * Keys are root's, and so are the directories above them: nginx itself is asked whether it can serve with them, before
 * any file in its include names them.
 */
function takeTls(publication: Publication): Script {
  const { tls, path, nginx } = publication;
  if (tls === undefined) return sh`:`;
  return sh`
usable() {
  printf '%s\n' ${probeLines(path, tls)} > ${probePath(path)}
  fit=0; ${nginx} -t -q -c ${probePath(path)} >/dev/null 2>&1 </dev/null || fit=1
  rm -f -- ${probePath(path)} ${probePath(path)}.pid
  return "$fit"
}
if usable; then
  head -c ${tls.bytes} > "$new"
  [ "$(stat -c %s -- "$new")" = ${tls.bytes} ] || { rm -f -- "$new"; echo 'the file was cut short' >&2; exit 1; }
fi`;
}

/**
 * Shell function `reload`, after `dump` was read: a reload is only a signal. It has been followed once there are new
 * workers and none of the former ones accepts visitors any more; until then a question may still be answered from the
 * former configuration.
 */
function reloading(nginx: readonly string[]): Script {
  return sh`
pid_file=$(printf '%s\n' "$dump" | awk '$1 == "pid" { sub(/;.*/, "", $2); print $2; exit }')
master=; { read -r master < "\${pid_file:-/run/nginx.pid}"; } 2>/dev/null || true
workers() {
  [ -n "$master" ] || return 0
  for stat in /proc/[0-9]*/stat; do
    line=; { read -r line < "$stat"; } 2>/dev/null || continue
    rest=\${line##*) }; rest=\${rest#* }
    [ "\${rest%% *}" = "$master" ] || continue
    title=$(tr '\0' ' ' 2>/dev/null < "\${stat%stat}cmdline" || true)
    case $title in *'worker process is shutting down'*) ;; *'worker process'*) printf '%s ' "\${line%% *}" ;; esac
  done
}
renewed() {
  [ -n "$before" ] || return 0
  now=$(workers)
  [ -n "$now" ] || return 1
  for pid in $now; do case " $before" in *" $pid "*) return 1 ;; esac; done
}
reload() {
  before=$(workers)
  words=$(${nginx} -s reload 2>&1) || return 1
  for look in $(seq ${LOOKS}); do
    if renewed; then return 0; fi
    sleep ${LOOK_EVERY_S}
  done
  words='nginx: the reload was not followed'
  return 1
}`;
}

function askNginx({ hostname, path80, expected }: Publication): Script {
  return sh`
answer='no answer' expected=${expected}
${ASK_HTTP}
ask() {
  answer=$(ask_http 80 ${path80} ${hostname})
  [[ \${answer#HTTP/1.[01] } =~ $expected ]]
}
serves() {
  for look in $(seq ${LOOKS}); do
    if ask; then return 0; fi
    sleep ${LOOK_EVERY_S}
  done
  return 1
}`;
}
