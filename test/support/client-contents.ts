import { createHash } from 'node:crypto';
import type { LabHost } from '../../lab/host.js';
import { databaseNameOf } from './client-database.js';

/** Everything that a client keeps, as text that compares: digest of a dump of its database; its files with owner and mode. */
export interface ClientContents {
  database: string;
  files: string;
}

/**
 * What Slipway keeps for itself in the directory (`.slipway…`) is no part of it, nor which of the client's two databases
 * is in use.
 */
export async function clientContents(host: LabHost, id: number, named?: string): Promise<ClientContents> {
  const database = named ?? (await databaseNameOf(host, id));
  const dump =
    host.sqlEngine === 'mariadb'
      ? `mariadb-dump --skip-comments --skip-extended-insert --routines --events --triggers ${database} | sed 's/\`${database}\`\\./\`the database\`./g; /^-- Host:/d'`
      : `cd /; setpriv --reuid postgres --regid postgres --init-groups pg_dump -h /run/postgresql ${database}`;
  const list = `cd /srv/docker/clients/client${id}
find . ! -path './.slipway*' ! -path . -printf '%y %m %U:%G %P\\n' | sort
find . ! -path './.slipway*' ! -path ./.env -type f -exec sha256sum {} + | sort
if [ -f .env ]; then sed 's/client${id}_b/client${id}/' .env | sha256sum; fi`;
  const [dumped, files] = await Promise.all([host.exec(dump), host.exec(list)]);
  return { database: digestOf(dumped.stdout), files: files.stdout };
}

/** Newer dump tools write a random word into each dump. Only the digest, as nobody reads a difference of thousands of lines. */
function digestOf(dump: string): string {
  const lines = dump.split('\n').filter((line) => !/^\\(un)?restrict /.test(line));
  const digest = createHash('sha256').update(lines.join('\n')).digest('hex');
  return `${lines.length} lines, ${digest}`;
}
