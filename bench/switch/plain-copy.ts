import { type Script, sh } from '../../activities/ssh/shell.js';
import type { Pattern } from '../create-client/things.js';

/** What an operator's own script does before it changes a client's data: dump, archive, and the dump restored beside. */
export function plainCopy({ names, server, sqlPassword }: Pattern, run: string): Script {
  const path = `${server.baseDir}/backup/clients/plain-${run}`;
  return sh`
export MYSQL_PWD=${sqlPassword}
at=(--host=${server.sqlHost} --port=${server.sqlPort} --user=${server.sqlUser})
mkdir -p ${path}
mariadb-dump "\${at[@]}" --single-transaction --quick --routines --events --triggers -- ${names.name} | gzip > ${path}/database.sql.gz
tar -C ${names.directory} -czf ${path}/files.tar.gz .
mariadb "\${at[@]}" -e ${`CREATE OR REPLACE DATABASE ${names.name}_plain`}
gunzip -c ${path}/database.sql.gz | mariadb "\${at[@]}" ${`${names.name}_plain`}
mariadb "\${at[@]}" -e ${`DROP DATABASE ${names.name}_plain`}
rm -rf -- ${path}`;
}
