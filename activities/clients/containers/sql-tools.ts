import { failure } from '../../../workflows/contract/operation/failures.js';
import type { FailedExit } from '../../hosts/host.js';
import type { Server } from '../../hosts/connections.js';
import { type Script, sh } from '../../ssh/shell.js';

/**
 * The engine's own tools, as functions for scripts that have set `host`, `port`, `user`, `database` and `login`, the file
 * with the login. Whatever option files and variables the host or its user have: none of them decides how a client's
 * data are read or written.
 */
export function sqlTools({ sqlEngine }: Pick<Server, 'sqlEngine'>): Script {
  return sqlEngine === 'postgres' ? POSTGRES : MARIADB;
}

/** What both engines' tools say when their server is not there, or went away; MariaDB's by number. */
const LOST = new RegExp(
  [
    String.raw`\b(?:ERROR|[Ee]rror:?) (?:2002|2003|2006|2013|1053|1927)\b`,
    'the dump tool ended without a word',
    'server closed the connection unexpectedly',
    'connection to server .* failed',
    'could not connect to server',
    'terminating connection due to administrator command',
    'the database system is (?:starting up|shutting down|in recovery mode)',
  ].join('|'),
);

/** What only reads, or fills what may be filled again, is tried again when its SQL server went away; else undefined. */
export function sqlLost({ what, output }: FailedExit): Error | undefined {
  const said = output.split('\n').find((line) => LOST.test(line));
  return said === undefined ? undefined : failure('Unavailable', `${what}: ${said.trim()}`);
}

/**
 * `own` answers nothing for a database that is not there, else `=` and the mark that it bears. `tell_failure <dump>` makes
 * of what a tool has said in `$said` what may be read by others: error, object, line, and nothing of the data.
 * `unqualified` takes the database's name off defaults that ask a sequence: restored elsewhere they would ask that of this
 * one. No line of data begins so.
 */
const MARIADB = sh`
unset "\${!MYSQL@}" "\${!MARIADB@}"
client=$(command -v mariadb || command -v mysql || true) dumper=$(command -v mariadb-dump || command -v mysqldump || true)
if [ -z "$client" ] || [ -z "$dumper" ]; then
  echo "mariadb and mariadb-dump are not installed on this host (package mariadb-client)" >&2
  exit 1
fi
# 1 GB is the most that a packet may have: where it ends is the server's to say
address=("--defaults-file=$login" "--host=$host" "--port=$port" --default-character-set=utf8mb4 --max-allowed-packet=1G)
q='\`'
unqualified() { LC_ALL=C sed "/^  $q/s/\(nextval\|lastval\)($q$database$q\./\1(/g"; }
ask() { "$client" "\${address[@]}" --batch --skip-column-names "$@"; }
own() {
  ask -e "SELECT CONCAT('=', SCHEMA_COMMENT) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '$database'" </dev/null
}
size_of_database() {
  ask -e "SELECT COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '$database'" </dev/null
}
tell_failure() {
  local error line object
  error=$(grep -a -o -m 1 '^ERROR [0-9]* ([0-9A-Z]*)' -- "$said" || true)
  line=$(sed -n 's/^ERROR [0-9]* ([0-9A-Z]*) at line \([0-9]*\).*/\1/p' -- "$said" | head -n 1)
  if [ -n "$line" ]; then
    object=$(gunzip -c -- "$1" 2>/dev/null | head -n "$line" | grep -a '^-- [A-Z][a-z ]* \(table\|view\|sequence\|database\) ' | tail -n 1 || true)
    echo "\${error:-an error} at line $line of the dump: \${object#-- }"
  else
    echo "\${error:-the client ended}"
  fi
  if grep -a -q -i 'no space left\|disk full\|is full' -- "$said"; then echo "no space left on device"; fi
  if grep -a -q '^ERROR 1153 ' -- "$said"; then
    echo "a row is larger than the server takes: raise its max_allowed_packet"
  fi
}`;

const POSTGRES = sh`
unset "\${!PG@}"
export PGPASSFILE=$login
for tool in psql pg_dump pg_restore; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed on this host (package postgresql-client)" >&2; exit 1; }
done
address=(--no-password "--host=$host" "--port=$port" "--username=$user")
ask() { psql "\${address[@]}" --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@" </dev/null; }
own() {
  ask --dbname=postgres --command="SELECT '=' || coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = '$database'"
}
size_of_database() { ask --dbname=postgres --command="SELECT coalesce(sum(pg_database_size(oid)), 0) FROM pg_database WHERE datname = '$database'"; }
tell_failure() {
  sed -n 's/^pg_restore: from TOC entry \(.*\)/\1/p; s/^pg_restore: error: \(COPY failed for table "[^"]*"\).*/\1/p' -- "$said" | head -n 4
  sed -n 's/^pg_restore: error: .*ERROR:  *//p' -- "$said" | sed 's/"[^"]*"/…/g; s/'"'"'[^'"'"']*'"'"'/…/g' | head -n 1
  if ! grep -q 'ERROR:' -- "$said"; then sed 's/"[^"]*"/…/g' -- "$said" | head -n 4; fi
  if grep -q -i 'no space left\|disk full' -- "$said"; then echo "no space left on device"; fi
}`;
