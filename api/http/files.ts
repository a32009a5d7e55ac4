import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Names of the product profiles under `<templates>/products`. */
export async function readProducts(templatesDir: string): Promise<string[]> {
  const entries = await readdir(join(templatesDir, 'products'), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
