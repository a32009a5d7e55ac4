import type { ClientNames } from './clients.js';

type Named = Pick<ClientNames, 'name' | 'database'>;

/** Both names that a client's database may have: its own, and the one of what stands beside while the first is changed. */
export function databasesOf(name: string): readonly [string, string] {
  return [name, `${name}_b`];
}

/** Where the client's data are. */
export function databaseOf({ name, database = name }: Named): string {
  return database;
}

/** As whom, and where. */
export interface ClientData {
  /** user, and the owner of what is in the database */
  name: string;
  database: string;
}

export function dataOf(names: Named): ClientData {
  return { name: names.name, database: databaseOf(names) };
}

/** Where a whole copy of them stands while an operation changes them. */
export function spareOf(names: Named): string {
  const [own, second] = databasesOf(names.name);
  return databaseOf(names) === own ? second : own;
}
