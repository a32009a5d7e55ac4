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
import { sqlTools } from './sql-tools.js';

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
login=\${0%/*}/login said=\${0%/*}/said
trap 'rm -f -- "$login" "$said"' EXIT
cat > "$login"
${rootContainer(docker, names)}
foreign() { printf '%s\n' "$1 is not ours"; exit ${FOREIGN_EXIT}; }
if [ ! -d "$path" ]; then echo "there is no backup $path"; exit 1; fi
${requireDirectory(thing)}
running=$(${docker} ps -q ${labelFilters(thing)} </dev/null)
if [ -n "$running" ]; then echo "containers of $name are running, so that nothing is restored"; exit 1; fi
${sqlTools(server)}
${what === 'files' ? sh`:` : requireDatabase(server)}
${beginChanging(names, step)}
${docker} rm -f -- "$root_name" >/dev/null 2>&1 </dev/null || true
${joinScripts(parts)}
${what === 'data' ? sh`:` : endChanging(names)}`;
}

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
 * One statement empties the database, and it keeps its mark; the account's rights are on its name and stay. What the
 * server accepted once is not questioned again: rows that break a CHECK of later, tables made without strictness, the
 * history of versioned ones. In binary mode the client reads no commands of its own in what a client's data have become.
 */
const RESTORE_MARIADB = sh`
dump=$path/database.sql.gz
[ -f "$dump" ] || { echo "there is no dump in $path"; exit 1; }
gzip -t -- "$dump"
echo "restoring database $name"
ask -e "KILL CONNECTION USER '$name'" </dev/null >/dev/null 2>&1 || true
ask -e "SET SESSION lock_wait_timeout = 60, foreign_key_checks = 0;
  CREATE OR REPLACE DATABASE $name CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT '$mark'" </dev/null
if ! gunzip -c -- "$dump" | ask --binary-mode \
  --init-command="SET SESSION check_constraint_checks = 0, innodb_strict_mode = 0" "$name" 2> "$said"; then
  tell_failure "$dump"
  exit 1
fi`;

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
if ! pg_restore "\${address[@]}" --dbname="$name" --no-owner --no-privileges --role="$name" --exit-on-error \
  -- "$dump" </dev/null 2> "$said"; then
  tell_failure
  exit 1
fi`;

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
