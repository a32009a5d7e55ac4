import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';

const MIGRATIONS = new URL('./migrations', import.meta.url).pathname;

/** Brings the schema up to date; several processes may call it at once, one does the work while the others wait. */
export async function migrateDatabase(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    // drizzle's migrate() takes no lock of its own
    await sql`select pg_advisory_lock(hashtext('slipway:migrate'))`;
    await migrate(drizzle(sql), { migrationsFolder: MIGRATIONS });
    await sql`
      insert into billing_types (id, title, position) values
        ('demo', 'Demo', 1), ('test', 'Test', 2), ('monthly', 'Monthly', 3), ('yearly', 'Yearly', 4),
        ('perpetual', 'Perpetual', 5)
      on conflict (id) do nothing`;
  } finally {
    await sql.end();
  }
}
