import type { LabHost } from '../../lab/host.js';

/** Rows of a query in a client's own database, as the engine's administrator on the host; values as texts. */
export async function readClientDatabase(
  host: LabHost,
  id: number,
  query: string,
  database = `client${id}`,
): Promise<string[][]> {
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
