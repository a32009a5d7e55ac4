import { readFile } from 'node:fs/promises';
import type { LabHost } from '../host.js';

/** What a build would have left on the server: the product's current `.env.example` in `/srv/docker`. */
export async function deliverProduct(host: LabHost): Promise<void> {
  const input = await readFile(new URL('.env.example', import.meta.url));
  await host.exec('cat > /srv/docker/.env.example; chown www-data: /srv/docker/.env.example', { input });
}
