import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { databaseOf } from '../../../workflows/contract/clients/databases.js';
import type { Server } from '../../hosts/connections.js';
import { OWN_FILES } from '../containers/changing.js';
import { CLIENT_FILES } from '../containers/compose-file.js';
import { rootContainer } from '../../docker/root-container.js';
import { databaseSums, DIFFERENCES } from '../containers/database-sums.js';
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
 * Writes what `databaseSums` tells of the database, and a line for each file with its rights. Nothing must write to the
 * client meanwhile. The login comes on standard input.
 */
export function sumsScript({ thing, server, docker, path, of, containerName }: SumsInput): Script {
  const { names } = thing;
  const { sums, schema } = SUMS[of];
  return sh`
umask 077
set -o pipefail
path=${path} dir=${names.directory} database=${databaseOf(names)} sums=${sums} schema=${schema}
host=${server.sqlHost} port=${server.sqlPort} user=${server.sqlUser}
login=$path/.login-$sums root_name=${containerName}
trap 'rm -f -- "$login"' EXIT
cat > "$login"
${rootContainer(docker, names)}
${sqlTools(server)}
${databaseSums(server)}
sums_of_files() {
  as_root "$dir" ro ${FILES} </dev/null | LC_ALL=C sort
}
echo "summing up database $database"
sums_of_database > "$path/$sums.partial"
# rights of others are their server's; what defines it belongs to the client's account, whose network is another there
schema_of_database ${server.sqlEngine === 'postgres' ? ['--no-privileges'] : []} |
  sed ${`s/DEFINER=\`${names.name}\`@\`[^\`]*\`/DEFINER=CLIENT/g`} > "$path/$schema"
echo "summing up $dir"
sums_of_files >> "$path/$sums.partial"
mv -f -- "$path/$sums.partial" "$path/$sums"`;
}

/** Compares both sides; prints `equal <tables> <rows> <files>` last, or exits with 1 and what differs. */
export function compareScript(path: string): Script {
  const { source, target } = SUMS;
  return sh`
cd -- ${path}
${DIFFERENCES}
found=$(differences ${source.sums} ${target.sums} ${source.schema} ${target.schema})
if [ -n "$found" ]; then
  echo 'source (first) and target (second) differ:'
  head -n 10 <<< "$found"
  exit 1
fi
awk -F '\t' '$1 == "table" { tables++; rows += $2 } $1 == "file" { files++ }
  END { printf "equal %d %d %d\n", tables, rows, files }' ${source.sums}`;
}

/** For busybox too. Owners as numbers: names differ between hosts. Parts are divided by tabs. */
const FILES = `cd /slipway || exit 1
set -- ! -path . ! -path ./php ${RENDERED.map((file) => `! -path './${file}'`).join(' ')}
find . "$@" -type f -exec sha256sum {} + | sed 's/  /\t\t/; s/^/file\t/' || exit 1
find . "$@" -type l -exec sh -c 'for link; do printf "link\\t%s\\t\\t%s\\n" "$(readlink "$link")" "$link"; done' sh {} + || exit 1
find . "$@" ! -type l ! -type s -exec stat -c 'rights\t%a %u %g\t\t%n' {} +`;
