import type { ClientNames, ClientThing } from '../../../workflows/contract/clients/clients.js';
import { databaseOf } from '../../../workflows/contract/clients/databases.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import type { StepRef } from '../../../workflows/contract/operation/step.js';
import type { Server } from '../../hosts/connections.js';
import { type Script, sh } from '../../ssh/shell.js';
import { rootContainer } from '../../docker/root-container.js';
import { PROGRESS } from './progress.js';
import { sqlTools } from './sql-tools.js';

export interface Backup {
  /** directory on the server with the dump, the archive of the files and a marker */
  path: string;
  sizeBytes: number;
}

/** A step that is done again after its client has been serving makes another one: visitors have written since. */
export function backupPath(
  server: Server,
  { name }: ClientNames,
  { operation, try: number }: Pick<StepRef, 'operation' | 'try'>,
): string {
  const again = number > 1 ? `-${number}` : '';
  return `${server.baseDir}/backup/clients/${name}-${operation}${again}`;
}

/** The login that the engine's dump tool reads from a file: an option file of MariaDB, or a line of `.pgpass`. */
export function dumpLogin({ sqlEngine, sqlUser }: Server, password: string): string {
  if (sqlEngine === 'postgres') return `*:*:*:${passField(sqlUser)}:${passField(password)}\n`;
  return `[client]\nuser=${quotedOption(sqlUser)}\npassword=${quotedOption(password)}\n`;
}

function passField(text: string): string {
  return text.replaceAll(/[\\:]/g, String.raw`\$&`);
}

function quotedOption(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
}

/**
 * Dump of the database and archive of the directory, beside first and then by rename, so that a backup is whole or
 * absent. What is gone already is left out and said so. The login comes on standard input. Prints `size <bytes>` last.
 */
export function backupScript(input: {
  thing: ClientThing;
  server: Server;
  docker: readonly string[];
  /** the one that makes the backup: its operation's name and mark are on it */
  step: StepRef;
}): Script {
  const { thing, server, docker, step } = input;
  const { names } = thing;
  const path = backupPath(server, names, step);
  return sh`
umask 077
set -o pipefail
final=${path} made=${`${path}.partial`} dir=${names.directory} name=${names.name} database=${databaseOf(names)}
host=${server.sqlHost} port=${server.sqlPort} user=${server.sqlUser}
login=$made/.login
${sqlTools(server)}
${rootContainer(docker, names)}
size() { du -sb -- "$final" | awk '{ print "size " $1 }'; }
if [ -d "$final" ]; then size; exit 0; fi
# of this try and of earlier ones
rm -rf -- ${backupPath(server, names, { ...step, try: 1 })}*.partial
mkdir -p -- "$made"
${PROGRESS}
trap 'stop_telling; rm -f -- "$login"' EXIT
cat > "$login"
printf '%s\n' ${mark(step.operation)} > "$made/.slipway"
${DUMP[server.sqlEngine]}
rm -f -- "$login"
tell_every written archived "$made/files.tar.gz" ' packed'
if [ ! -d "$dir" ]; then echo "$dir is not there any more"
elif [ -z "$(find "$dir" ! -readable -print -quit 2>/dev/null || echo unreadable)" ]; then
  echo "archiving $dir"
  tar -C "$dir" -czf "$made/files.tar.gz" .
else
  echo "archiving $dir as root"
  as_root "$dir" ro 'cd /slipway && tar -czf - .' </dev/null > "$made/files.tar.gz"
fi
stop_telling
mv -T -- "$made" "$final"
size`;
}

/**
 * In a transaction of its own, so that visitors go on working; the client's own routines and events belong to it. Without
 * LOCK TABLES, under which no default may ask a sequence; blobs as they are, because in hexadecimal half of what a packet
 * takes is too much. Packed at its quickest: the client is down meanwhile.
 */
const DUMP_MARIADB = sh`
echo "dumping database $database"
tell_every written dumped "$made/database.sql.gz" " packed, of some $(size_of_database) bytes"
history=()
# not by a pipe to grep -q: that ends the tool early, which is a failure under pipefail
case $("$dumper" --help 2>/dev/null) in *--dump-history*) history=(--dump-history) ;; esac
if ! "$dumper" "\${address[@]}" --single-transaction --quick --routines --events --triggers --skip-add-locks \
  "\${history[@]}" -- "$database" 2> "$made/.said" | unqualified | gzip -1 > "$made/database.sql.gz"; then
  # where it loses its server between two questions, it says nothing
  [ -s "$made/.said" ] || echo 'the dump tool ended without a word'
  cat -- "$made/.said"
  grep -q 'Unknown database' -- "$made/.said" || exit 1
  rm -f -- "$made/database.sql.gz"
fi
ask -e "SELECT CONCAT('CHARACTER SET ', DEFAULT_CHARACTER_SET_NAME, ' COLLATE ', DEFAULT_COLLATION_NAME)
  FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '$database'" </dev/null > "$made/database.options"
stop_telling
rm -f -- "$made/.said"`;

const DUMP_POSTGRES = sh`
echo "dumping database $database"
tell_every written dumped "$made/database.dump" " packed, of some $(size_of_database) bytes"
if ! pg_dump "\${address[@]}" --format=custom --no-owner --file="$made/database.dump" -- "$database" 2> "$made/.said"; then
  cat -- "$made/.said"
  grep -q 'database "[^"]*" does not exist' -- "$made/.said" || exit 1
  rm -f -- "$made/database.dump"
fi
stop_telling
rm -f -- "$made/.said"`;

/** Into the directory `$made`; a database that is not there leaves no dump. */
export const DUMP = { mariadb: DUMP_MARIADB, postgres: DUMP_POSTGRES };
