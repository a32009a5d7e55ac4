import type { ClientThing } from '../../workflows/contract/clients.js';
import type { Server } from '../connections.js';
import { rootContainer } from '../docker/root-container.js';
import { mariadbHost } from '../sql/identifiers.js';
import { type Script, sh } from '../ssh/shell.js';
import { RENDERED } from './sums.js';

interface RestoreInput {
  thing: ClientThing;
  server: Server;
  /** directory of the dump, on the client's server */
  path: string;
}

/** Empties the client's database and fills it from the dump. The login comes on standard input. */
export function restoreDatabaseScript({ thing, server, path }: RestoreInput): Script {
  const { name, subnet } = thing.names;
  return sh`
umask 077
set -o pipefail
path=${path} name=${name} host=${server.sqlHost} port=${server.sqlPort} user=${server.sqlUser}
login=$path/.login
trap 'rm -f -- "$login"' EXIT
cat > "$login"
${server.sqlEngine === 'postgres' ? POSTGRES : sh`account_host=${mariadbHost(subnet)}${MARIADB}`}`;
}

/**
 * Whoever defined a view or trigger is an account of the source's network: here it is the client's account on this
 * server. Only lines that begin so are changed, which no line of data does.
 */
const MARIADB = sh`
client=$(command -v mariadb || command -v mysql) q='\`'
sql() {
  "$client" "--defaults-extra-file=$login" "--host=$host" "--port=$port" --default-character-set=utf8mb4 --batch \
    --skip-column-names -- "$name"
}
echo "emptying database $name"
things=$(sql <<< "select concat('drop ', if(table_type = 'VIEW', 'view', 'table'), ' if exists $q', table_name, '$q;')
    from information_schema.tables where table_schema = '$name'
  union all select concat('drop ', routine_type, ' if exists $q', routine_name, '$q;')
    from information_schema.routines where routine_schema = '$name'
  union all select concat('drop event if exists $q', event_name, '$q;')
    from information_schema.events where event_schema = '$name'")
printf 'set foreign_key_checks = 0;\n%s\n' "$things" | sql
echo "restoring database $name"
gunzip -c -- "$path/database.sql.gz" |
  sed -E "/^(\/\*!50|CREATE )/ s|DEFINER=$q[^$q]+$q@$q[^$q]+$q|DEFINER=$q$name$q@$q$account_host$q|g" | sql`;

/** `DROP OWNED` also takes the role's rights on the database and its schema, which are given again as at its creation. */
const POSTGRES = sh`
export PGPASSFILE=$login
address=(--no-password "--host=$host" "--port=$port" "--username=$user" "--dbname=$name")
echo "emptying database $name"
psql "\${address[@]}" --no-psqlrc --quiet -v ON_ERROR_STOP=1 --single-transaction </dev/null \
  -c "drop owned by \"$name\"" \
  -c "grant connect, temporary, create on database \"$name\" to \"$name\"" \
  -c "grant usage, create on schema public to \"$name\""
echo "restoring database $name"
pg_restore "\${address[@]}" --no-owner --no-acl "--role=$name" --exit-on-error --single-transaction \
  -- "$path/database.dump" </dev/null`;

/** Puts the archived files in the place of what is there; what Slipway renders itself stays. */
export function restoreFilesScript({
  thing,
  path,
  docker,
  containerName,
}: Omit<RestoreInput, 'server'> & { docker: readonly string[]; containerName: string }): Script {
  return sh`
path=${path} dir=${thing.names.directory} root_name=${containerName}
${rootContainer(docker, thing.names)}
echo "restoring $dir"
as_root "$dir" rw ${EMPTY} </dev/null
root_input=-i
as_root "$dir" rw ${UNPACK} < "$path/files.tar.gz"`;
}

const EMPTY = `find /slipway -mindepth 1 -maxdepth 1 ${RENDERED.map((file) => `! -name '${file.split('/')[0]}'`).join(' ')} -exec rm -rf {} +`;

/**
 * Owners by number, and every right: it runs as root. Beside first, as not every `tar` of an image can leave something
 * out.
 */
const UNPACK = `set -e
cd /slipway
rm -rf .slipway-restored
mkdir .slipway-restored
tar -xzpf - --numeric-owner -C .slipway-restored
cd .slipway-restored
rm -f ${RENDERED.join(' ')}
if [ -d php ]; then cp -a php/. ../php/ && rm -rf php; fi
find . -mindepth 1 -maxdepth 1 -exec mv -f {} .. \\;
cd ..
rmdir .slipway-restored`;
