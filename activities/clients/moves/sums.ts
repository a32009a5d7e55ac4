import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { Server } from '../../hosts/connections.js';
import { OWN_FILES } from '../containers/changing.js';
import { CLIENT_FILES } from '../containers/compose-file.js';
import { rootContainer } from '../../docker/root-container.js';
import { sqlTools } from '../containers/sql-tools.js';
import { type Script, sh } from '../../ssh/shell.js';
import { SUMS, type SumsOf } from './workspace.js';

/** What Slipway writes anew or for itself on each server, and so is no part of what must be equal. */
const RENDERED = [CLIENT_FILES.env, CLIENT_FILES.compose, CLIENT_FILES.phpIni, OWN_FILES];

interface SumsInput {
  thing: ClientThing;
  server: Server;
  docker: readonly string[];
  /** directory of the dump */
  path: string;
  of: SumsOf;
  /** of the one-off container that reads the files */
  containerName: string;
}

/**
 * Writes one line for each table (`table <rows> <sum of its sorted logical dump> <name>`) and for each file, with its
 * rights. Nothing must write to the client meanwhile. The login comes on standard input.
 */
export function sumsScript({ thing, server, docker, path, of, containerName }: SumsInput): Script {
  const { names } = thing;
  return sh`
umask 077
set -o pipefail
path=${path} dir=${names.directory} name=${names.name} sums=${SUMS[of]}
host=${server.sqlHost} port=${server.sqlPort} user=${server.sqlUser}
login=$path/.login-$sums root_name=${containerName}
trap 'rm -f -- "$login"' EXIT
cat > "$login"
${rootContainer(docker, names)}
${sqlTools(server)}
${server.sqlEngine === 'postgres' ? POSTGRES : MARIADB}
sums_of_files() {
  as_root "$dir" ro ${FILES} </dev/null | sort
}
echo "summing up database $name"
sums_of_database > "$path/$sums.partial"
echo "summing up $dir"
sums_of_files >> "$path/$sums.partial"
mv -f -- "$path/$sums.partial" "$path/$sums"`;
}

/** Compares the sums of both sides; prints `equal <tables> <rows> <files>` last, or exits with 1 and what differs. */
export function compareScript(path: string): Script {
  return sh`
path=${path} source=${SUMS.source} target=${SUMS.target}
if ! cmp -s -- "$path/$source" "$path/$target"; then
  { diff -- "$path/$source" "$path/$target" || true; } > "$path/differences"
  echo 'source (<) and target (>) differ:'
  head -n 10 -- "$path/differences"
  exit 1
fi
awk '$1 == "table" { tables++; rows += $2 } $1 == "file" { files++ }
  END { printf "equal %d %d %d\n", tables, rows, files }' "$path/$source"`;
}

/** For busybox too. Owners as numbers: names differ between hosts. */
const FILES = `cd /slipway || exit 1
set -- ! -path . ! -path ./php ${RENDERED.map((file) => `! -path './${file}'`).join(' ')}
find . "$@" -type f -exec sha256sum {} + | sed 's/^/file /' || exit 1
find . "$@" -type l -exec sh -c 'for link; do printf "link %s -> %s\\n" "$link" "$(readlink "$link")"; done' sh {} + || exit 1
find . "$@" ! -type l ! -type s -exec stat -c 'rights %a %u %g %n' {} +`;

const MARIADB = sh`
q='\`'
sql() { ask -e "$1" </dev/null; }
rows_of() {
  "$dumper" "\${address[@]}" --no-create-info --skip-extended-insert --skip-triggers --compact --hex-blob \
    -- "$name" "$1" </dev/null | sed -n '/^INSERT /p'
}
sums_of_database() {
  tables=$(sql "select table_name from information_schema.tables
    where table_schema = '$name' and table_type = 'BASE TABLE' order by table_name")
  while IFS= read -r table; do
    [ -n "$table" ] || continue
    rows=$(sql "select count(*) from $q$name$q.$q$table$q")
    sum=$(rows_of "$table" | sort -T "$path" | sha256sum)
    printf 'table %s %s %s\n' "$rows" "\${sum%% *}" "$table"
  done <<< "$tables"
  sql "select concat('view ', table_name) from information_schema.views where table_schema = '$name'
    union all select concat('trigger ', trigger_name) from information_schema.triggers where trigger_schema = '$name'
    union all select concat('routine ', routine_name) from information_schema.routines where routine_schema = '$name'
    union all select concat('event ', event_name) from information_schema.events where event_schema = '$name'" | sort
}`;

const POSTGRES = sh`
export PGTZ=UTC PGDATESTYLE=ISO PGOPTIONS='-c extra_float_digits=3'
sql() { ask "--dbname=$name" -c "$1"; }
sums_of_database() {
  ours="schemaname !~ '^pg_' and schemaname <> 'information_schema'"
  tables=$(sql "select format('%I.%I', schemaname, tablename) from pg_tables where $ours order by 1")
  while IFS= read -r table; do
    [ -n "$table" ] || continue
    rows=$(sql "select count(*) from $table")
    sum=$(sql "copy (select * from $table) to stdout" | sort -T "$path" | sha256sum)
    printf 'table %s %s %s\n' "$rows" "\${sum%% *}" "$table"
  done <<< "$tables"
  sql "select format('view %I.%I', schemaname, viewname) from pg_views where $ours
    union all select format('sequence %I.%I %s', schemaname, sequencename, last_value) from pg_sequences where $ours
    union all select format('trigger %s %I', tgrelid::regclass, tgname) from pg_trigger where not tgisinternal" | sort
}`;
