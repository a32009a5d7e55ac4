import { openDatabase } from '../db/database.js';
import { migrateDatabase } from '../db/migrate.js';
import { exitWith } from '../process/stop-signals.js';
import { resetAdmin } from './http/auth/first-admin.js';
import { readConfig } from './config.js';

async function main(): Promise<void> {
  const config = readConfig(process.env);
  await migrateDatabase(config.databaseUrl);
  const database = openDatabase({ url: config.databaseUrl, poolSize: 1 });
  const file = await resetAdmin({ db: database.db, login: config.adminUser, dataDir: config.dataDir });
  await database.close();
  process.stdout.write(`new password of "${config.adminUser}" written to ${file}\n`);
}

main().catch(exitWith);
