import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import type { StepRef } from '../../../workflows/contract/operation/step.js';
import type { Server } from '../../hosts/connections.js';
import { checkIdentifier } from '../../sql/identifiers.js';
import { joinScripts, type Script, sh } from '../../ssh/shell.js';
import { beginChanging, endChanging, OWN_FILES, requireDirectory } from './changing.js';
import { FOREIGN_EXIT } from './client-files.js';
import { CLIENT_FILES } from './compose-file.js';
import { labelFilters } from './containers.js';
import { rootContainer } from '../../docker/root-container.js';

/** `data`: the database and what visitors have uploaded, of a backup that may be another client's. */
export type RestoredPart = 'database' | 'files' | 'both' | 'data';

interface RestoreInput {
  thing: ClientThing;
  server: Server;
  docker: readonly string[];
  /** directory that `backupScript` has made */
  path: string;
  what: RestoredPart;
  step: StepRef;
  /** names the one-off container: the job's key */
  key: string;
}

/**
 * Puts a backup in the place of what is there. The dump is read once to its end before anything is emptied. Begun again
 * at any point it ends alike. Nothing of the client may run. The login of the dump tool comes on standard input. With
 * `data` the client's own are not back by it: they count as changed until the commit, or until a backup of them is back.
 */
export function restoreScript(input: RestoreInput): Script {
  const { thing, server, docker, path, what, step, key } = input;
  const { names } = thing;
  const parts = [
    ...(what === 'files' ? [] : [restoreDatabase(server)]),
    ...(what === 'database' ? [] : [restoreFiles(what === 'data')]),
  ];
  return sh`
umask 077
set -o pipefail
path=${path} dir=${names.directory} name=${checkIdentifier(names.name)} mark=${mark(thing.operation)} root_name=${key}
host=${server.sqlHost} port=${server.sqlPort} user=${server.sqlUser}
login=\${0%/*}/login
trap 'rm -f -- "$login"' EXIT
cat > "$login"
${rootContainer(docker, names)}
foreign() { printf '%s\n' "$1 is not ours"; exit ${FOREIGN_EXIT}; }
if [ ! -d "$path" ]; then echo "there is no backup $path"; exit 1; fi
${requireDirectory(thing)}
running=$(${docker} ps -q ${labelFilters(thing)} </dev/null)
if [ -n "$running" ]; then echo "containers of $name are running, so that nothing is restored"; exit 1; fi
${server.sqlEngine === 'postgres' ? ASK_POSTGRES : ASK_MARIADB}
${what === 'files' ? sh`:` : requireDatabase(server)}
${beginChanging(names, step)}
${docker} rm -f -- "$root_name" >/dev/null 2>&1 </dev/null || true
${joinScripts(parts)}
${what === 'data' ? sh`:` : endChanging(names)}`;
}

/** `own` answers nothing for a database that is not there, else `=` and the mark that it bears. */
const ASK_MARIADB = sh`
client=$(command -v mariadb || command -v mysql)
ask() { "$client" "--defaults-extra-file=$login" --host="$host" --port="$port" --batch --skip-column-names "$@"; }
own() {
  ask -e "SELECT CONCAT('=', SCHEMA_COMMENT) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '$name'" </dev/null
}`;

const ASK_POSTGRES = sh`
ask() {
  PGPASSFILE=$login psql --no-password --host="$host" --port="$port" --username="$user" --no-psqlrc --quiet --tuples-only \
    --no-align --set=ON_ERROR_STOP=1 "$@" </dev/null
}
own() {
  ask --dbname=postgres --command="SELECT '=' || coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = '$name'"
}`;

/** On MariaDB a server that dies between the two halves of the emptying statement leaves none. */
function requireDatabase({ sqlEngine }: Pick<Server, 'sqlEngine'>): Script {
  const absent = sqlEngine === 'mariadb' ? sh`:` : sh`foreign "database $name, which is not there,"`;
  return sh`
found=$(own)
case $found in "=$mark") ;; '') ${absent} ;; *) foreign "database $name" ;; esac`;
}

function restoreDatabase({ sqlEngine }: Pick<Server, 'sqlEngine'>): Script {
  return sqlEngine === 'postgres' ? RESTORE_POSTGRES : RESTORE_MARIADB;
}

/**
 * One statement empties the database, and it keeps its mark; the account's rights are on its name and stay. In binary
 * mode the client reads no commands of its own in what a client's data have become.
 */
const RESTORE_MARIADB = sh`
dump=$path/database.sql.gz
[ -f "$dump" ] || { echo "there is no dump in $path"; exit 1; }
gzip -t -- "$dump"
echo "restoring database $name"
ask -e "KILL CONNECTION USER '$name'" </dev/null >/dev/null 2>&1 || true
ask -e "SET SESSION lock_wait_timeout = 60; CREATE OR REPLACE DATABASE $name CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT '$mark'" </dev/null
gunzip -c -- "$dump" | ask --binary-mode "$name"`;

/** Everything that the client's role owns goes, and comes back as its own; the database with its mark stays. */
const RESTORE_POSTGRES = sh`
dump=$path/database.dump
[ -f "$dump" ] || { echo "there is no dump in $path"; exit 1; }
pg_restore --file=/dev/null -- "$dump"
echo "restoring database $name"
ask --dbname="$name" --single-transaction --command="
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '$name';
  DROP OWNED BY $name CASCADE;
  GRANT CONNECT, TEMPORARY, CREATE ON DATABASE $name TO $name;
  GRANT USAGE, CREATE ON SCHEMA public TO $name" >/dev/null
PGPASSFILE=$login pg_restore --no-password --host="$host" --port="$port" --username="$user" --dbname="$name" \
  --no-owner --no-privileges --role="$name" --exit-on-error -- "$dump" </dev/null`;

/** As root in a container, because files belong to users of containers; unpacked beside first. */
function restoreFiles(uploadsOnly: boolean): Script {
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
