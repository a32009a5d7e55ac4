import { sql } from 'drizzle-orm';
import type { Db } from '../../db/database.js';

/** Rows and a digest of their contents, by table: equal before and after whatever changes nothing. Logins are counted beside. */
export async function tableContents(db: Db): Promise<Record<string, string>> {
  const tables = await db.execute<{ name: string }>(
    sql`select table_name as name from information_schema.tables
        where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> 'login_counts' order by 1`,
  );
  const contents: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await db.execute<{ text: string }>(
      sql`select count(*) || ' rows ' || md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as text
          from ${sql.identifier(name)} t`,
    );
    contents[name] = row?.text ?? '';
  }
  return contents;
}
