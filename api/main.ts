import { readConfig } from './config.js';
import { ensureSecretKey } from './files.js';
import { secretKeyFile, startApi } from './server.js';

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const secretKey = config.secretKey ?? (await ensureSecretKey(secretKeyFile(config.dataDir)));
  const api = await startApi(config, secretKey);
  const stop = () => {
    void api.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
