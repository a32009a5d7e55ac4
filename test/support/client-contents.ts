import { createHash } from 'node:crypto';
import type { LabHost } from '../../lab/host.js';

/** Everything that a client keeps, as text that compares: digest of a dump of its database; its files with owner and mode. */
export interface ClientContents {
  database: string;
  files: string;
}

/** What Slipway keeps for itself in the directory (`.slipway…`) is no part of it. */
export async function clientContents(host: LabHost, id: number): Promise<ClientContents> {
  const dump =
    host.sqlEngine === 'mariadb'
      ? `mariadb-dump --skip-comments --skip-extended-insert --routines --triggers client${id}`
      : `cd /; setpriv --reuid postgres --regid postgres --init-groups pg_dump -h /run/postgresql client${id}`;
  const list = `cd /srv/docker/clients/client${id}
find . ! -path './.slipway*' ! -path . -printf '%y %m %U:%G %P\\n' | sort
find . ! -path './.slipway*' -type f -exec sha256sum {} + | sort`;
  const [database, files] = await Promise.all([host.exec(dump), host.exec(list)]);
  return { database: digestOf(database.stdout), files: files.stdout };
}

/** Newer dump tools write a random word into each dump. Only the digest, as nobody reads a difference of thousands of lines. */
function digestOf(dump: string): string {
  const lines = dump.split('\n').filter((line) => !/^\\(un)?restrict /.test(line));
  const digest = createHash('sha256').update(lines.join('\n')).digest('hex');
  return `${lines.length} lines, ${digest}`;
}
