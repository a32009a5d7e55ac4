import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import type { StepRef } from '../../../workflows/contract/operation/step.js';
import type { Server } from '../../hosts/connections.js';
import { databaseOf, spareOf } from '../../../workflows/contract/clients/databases.js';
import { checkIdentifier } from '../../sql/identifiers.js';
import { type Script, sh } from '../../ssh/shell.js';
import { beginChanging, chooseDatabase, endChanging, OWN_FILES, requireDirectory } from './changing.js';
import { FOREIGN_EXIT, giveEnvGroup, PUT_FILE, putFile } from './client-files.js';
import { CLIENT_FILES } from './compose-file.js';
import { labelFilters } from './containers.js';
import { databaseSums, DIFFERENCES } from './database-sums.js';
import { DUMP } from './backup.js';
import { rootContainer } from '../../docker/root-container.js';
import { PROGRESS } from './progress.js';
import { sqlTools } from './sql-tools.js';

interface DumpInput {
  thing: ClientThing;
  server: Server;
  /** directory that `backupScript` has made */
  path: string;
}

interface FilesInput extends DumpInput {
  docker: readonly string[];
  step: StepRef;
  /** names the one-off container: the job's key */
  key: string;
}

/**
 * The database and what visitors have uploaded, of a backup that may be another client's, in the place of what is there.
 * The dump is read once to its end before anything is emptied. Begun again at any point it ends alike. Nothing of the
 * client may run. The login of the dump tool comes on standard input. The client's data count as changed until the commit,
 * or until `bringBackScript`.
 */
export function restoreScript(input: FilesInput): Script {
  const { thing, server, path, step } = input;
  return sh`
${setUp(thing, { path })}
${requireStopped(input)}
database=${databaseOf(thing.names)}
${openDatabase(server)}
${beginChanging(thing.names, step)}
${CHECK_DUMP[server.sqlEngine]}
${END_SESSIONS[server.sqlEngine]}
${RESTORE[server.sqlEngine]}
${restoreFiles({ uploadsOnly: true })}`;
}

/**
 * The dump into a database beside the client's, and then the comparison of both: nothing may write to the client meanwhile.
 * The login of the dump tool comes on standard input.
 */
export function copyBesideScript({ thing, server, path }: DumpInput): Script {
  const { names } = thing;
  return sh`
${setUp(thing, { path })}
database=${spareOf(names)} first=${databaseOf(names)} rights=yes
${openDatabase(server)}
${databaseSums(server)}
${DIFFERENCES}
trap 'stop_telling; rm -rf -- "$login" "$said" "$work"/of-*' EXIT
sum_up() { sums_of_database > "$work/of-$1"; rights_on_database >> "$work/of-$1"; schema_of_database > "$work/of-$1-schema"; }
( database=$first; sum_up first ) &
summing=$!
${RESTORE[server.sqlEngine]}
echo "comparing $database with $first"
sum_up second
wait "$summing"
found=$(differences "$work/of-first" "$work/of-second" "$work/of-first-schema" "$work/of-second-schema")
if [ -n "$found" ]; then
  echo "a backup of $first does not restore it as it is:"
  head -n 20 <<< "$found"
  exit 1
fi
awk '$1 == "table" { tables++; rows += $2 } END { printf "equal: %d tables with %d rows\n", tables, rows }' "$work/of-first"`;
}

/** A dump of the client's database, restored beside it at once, and not kept. */
export function copyLiveScript({ thing, server }: Omit<DumpInput, 'path'>): Script {
  const { names } = thing;
  return sh`
${setUpData(thing)}
made=$work/live path=$work/live
database=${databaseOf(names)}
${openDatabase(server)}
trap 'stop_telling; rm -rf -- "$login" "$said" "$made"' EXIT
rm -rf -- "$made"
mkdir -- "$made"
${DUMP[server.sqlEngine]}
database=${spareOf(names)}
${RESTORE[server.sqlEngine]}`;
}

/**
 * The client's files as they were, unpacked beside first, and its `.env` with the database that is whole: the copy beside.
 * The text of that `.env` comes on standard input; empty: there was none. Nothing of the client may run.
 */
export function bringBackScript(input: FilesInput & { env: string; envGid: number }): Script {
  const { thing, path, step, env, envGid } = input;
  const { names } = thing;
  const file = { path: CLIENT_FILES.env, mode: '640', content: env };
  return sh`
${setUp(thing, { path })}
${requireStopped(input)}
${beginChanging(names, step)}
${restoreFiles({ uploadsOnly: false })}
cd -- "$dir"
${PUT_FILE}
${env === '' ? sh`:` : putFile(file)}
work=$dir
${env === '' ? sh`:` : giveEnvGroup(envGid)}
${chooseDatabase(names, spareOf(names))}
${endChanging(names)}`;
}

function setUp(thing: ClientThing, { path }: { path: string }): Script {
  return sh`
${setUpData(thing)}
path=${path} dir=${thing.names.directory}
if [ ! -d "$path" ]; then echo "there is no backup $path"; exit 1; fi`;
}

function setUpData({ names, operation }: ClientThing): Script {
  return sh`
umask 077
set -o pipefail
name=${checkIdentifier(names.name)} mark=${mark(operation)}
work=\${0%/*}
${PROGRESS}
foreign() { printf '%s\n' "$1 is not ours"; exit ${FOREIGN_EXIT}; }`;
}

function requireStopped({ thing, docker, key }: FilesInput): Script {
  return sh`
root_name=${key}
${rootContainer(docker, thing.names)}
${requireDirectory(thing)}
running=$(${docker} ps -q ${labelFilters(thing)} </dev/null)
if [ -n "$running" ]; then echo "containers of $name are running, so that nothing is restored"; exit 1; fi
${docker} rm -f -- "$root_name" >/dev/null 2>&1 </dev/null || true`;
}

/** `$database` is there and ours. On MariaDB a server that dies between the two halves of the emptying statement leaves none. */
function openDatabase(server: Server): Script {
  const absent =
    server.sqlEngine === 'mariadb' ? sh`:` : sh`foreign "database $database, which is not there,"`;
  return sh`
host=${server.sqlHost} port=${server.sqlPort} user=${server.sqlUser}
login=$work/login said=$work/said
trap 'stop_telling; rm -f -- "$login" "$said"' EXIT
cat > "$login"
${sqlTools(server)}
found=$(own)
case $found in "=$mark") ;; '') ${absent} ;; *) foreign "database $database" ;; esac`;
}

/** What still has the database open would keep it from being emptied. */
const END_SESSIONS = {
  mariadb: sh`ask -e "KILL CONNECTION USER '$name'" </dev/null >/dev/null 2>&1 || true`,
  postgres: sh`ask --dbname="$database" --command="SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE usename = '$name' AND datname = current_database()" >/dev/null`,
};

/** Before anything is emptied the dump is read once to its end. */
const CHECK_DUMP = {
  mariadb: sh`[ ! -f "$path/database.sql.gz" ] || gzip -t -- "$path/database.sql.gz"`,
  postgres: sh`[ ! -f "$path/database.dump" ] || pg_restore --file=/dev/null -- "$path/database.dump"`,
};

/** `$dump` on descriptor 3, and how far it has been read. */
const OPEN_DUMP = sh`
[ -f "$dump" ] || { echo "there is no dump in $path"; exit 1; }
size=$(stat -c %s -- "$dump")
echo "restoring database $database, $size bytes packed"
exec 3< "$dump"
position() {
  while read -r what position; do
    if [ "$what" = pos: ]; then echo "restored $position of $size bytes"; fi
  done < /proc/self/fdinfo/3
}
tell_every position`;

const CLOSE_DUMP = sh`
stop_telling
exec 3<&-`;

/**
 * One statement empties the database, and it keeps its mark; the account's rights are on its name and stay. What the
 * server accepted once is not questioned again: rows that break a CHECK of later, tables made without strictness, the
 * history of versioned ones. In binary mode the client reads no commands of its own in what a client's data have become.
 */
const RESTORE_MARIADB = sh`
dump=$path/database.sql.gz
${OPEN_DUMP}
options=$(cat -- "$path/database.options" 2>/dev/null || true)
if ! grep -qE '^CHARACTER SET [a-z0-9_]+ COLLATE [a-z0-9_]+$' <<< "$options"; then
  options='CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci'
fi
ask -e "SET SESSION lock_wait_timeout = 60, foreign_key_checks = 0;
  CREATE OR REPLACE DATABASE $database $options COMMENT '$mark'" </dev/null
if ! gunzip -c <&3 | ask --binary-mode \
  --init-command="SET SESSION check_constraint_checks = 0, innodb_strict_mode = 0" "$database" 2> "$said"; then
  tell_failure "$dump"
  exit 1
fi
${CLOSE_DUMP}`;

/**
 * Everything that the client's role owns in it goes, and comes back as its own; the database with its mark stays. Rights of
 * others come back where the data stay with their client, for which a script sets `rights`. DROP OWNED also takes the
 * role's rights on its other database.
 */
const RESTORE_POSTGRES = sh`
dump=$path/database.dump
${OPEN_DUMP}
wanted=(--no-privileges)
if [ "\${rights:-no}" = yes ]; then
  # schema public is not the role's
  pg_restore --list -- "$dump" | sed '/ ACL - SCHEMA public /d' > "$work/wanted"
  wanted=("--use-list=$work/wanted")
fi
ask --dbname="$database" --single-transaction --command="
  SET LOCAL lock_timeout = '60s';
  DROP OWNED BY $name CASCADE;
  DO \$\$ DECLARE one text; BEGIN
    FOR one IN SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') = '$mark' LOOP
      EXECUTE format('GRANT CONNECT, TEMPORARY, CREATE ON DATABASE %I TO $name', one);
    END LOOP;
  END \$\$;
  GRANT USAGE, CREATE ON SCHEMA public TO $name" >/dev/null
if ! pg_restore "\${address[@]}" --dbname="$database" --no-owner "\${wanted[@]}" --role="$name" --exit-on-error \
  <&3 2> "$said"; then
  tell_failure
  exit 1
fi
${CLOSE_DUMP}`;

const RESTORE = { mariadb: RESTORE_MARIADB, postgres: RESTORE_POSTGRES };

/** As root in a container, because files belong to users of containers; unpacked beside first. */
function restoreFiles({ uploadsOnly }: { uploadsOnly: boolean }): Script {
  const swap = uploadsOnly
    ? `rm -rf "$1" && mv -f ".slipway-restored/$1" "$1"`
    : `find . -mindepth 1 -maxdepth 1 ! -name "$2" -exec rm -rf {} + && find .slipway-restored -mindepth 1 -maxdepth 1 ! -name "$2" -exec mv -f {} . ";"`;
  const script = `set -e
cd /slipway
rm -rf .slipway-restored
mkdir .slipway-restored
tar -C .slipway-restored --numeric-owner -xzf -
test -d ".slipway-restored/$1"
${swap}
rm -rf .slipway-restored`;
  return sh`
archive=$path/files.tar.gz
[ -f "$archive" ] || { echo "there is no archive in $path"; exit 1; }
gzip -t -- "$archive"
echo "restoring files of $name"
as_root "$dir" rw ${script} ${CLIENT_FILES.public} ${OWN_FILES} < "$archive"`;
}
