import type { LabHost } from '../../lab/host.js';

/** The one that the client's `.env` names: its second one after a change that has failed. */
export async function databaseNameOf(host: LabHost, id: number): Promise<string> {
  // the base directory may be another one
  const { stdout } = await host.exec(`cat /srv*/docker/clients/client${id}/.env 2>/dev/null || true`);
  return /^DB_DATABASE="?(\w+)/m.exec(stdout)?.[1] ?? `client${id}`;
}

/** Rows of a query in a client's own database, as the engine's administrator on the host; values as texts. */
export async function readClientDatabase(
  host: LabHost,
  id: number,
  query: string,
  named?: string,
): Promise<string[][]> {
  const database = named ?? (await databaseNameOf(host, id));
  const command =
    host.sqlEngine === 'mariadb'
      ? `mariadb --batch --raw --skip-column-names ${database}`
      : `cd / && setpriv --reuid postgres --regid postgres --init-groups psql -h /run/postgresql -XAtq -F "$(printf '\\t')" -d ${database}`;
  const { stdout } = await host.exec(command, { input: query });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}
