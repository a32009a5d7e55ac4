import { readFile } from 'node:fs/promises';
import type { LabHost } from '../../lab/host.js';

/**
 * A base directory of a test's own on a shared host, with what a build would have left there; `settings` are put over
 * those of the product's `.env.example`.
 */
export async function ownBaseDirectory(
  host: LabHost,
  baseDir: string,
  settings: Record<string, string> = {},
): Promise<void> {
  const given = await readFile(new URL('../../lab/product/.env.example', import.meta.url), 'utf8');
  const kept = given
    .split('\n')
    .filter((line) => !Object.keys(settings).some((key) => line.startsWith(`${key}=`)));
  const input = [...kept, ...Object.entries(settings).map(([key, value]) => `${key}=${value}`), ''].join(
    '\n',
  );
  const script = `
install -d -o www-data -g www-data -m 775 ${baseDir} ${baseDir}/docker ${baseDir}/docker/clients ${baseDir}/slipway \
  ${baseDir}/backup ${baseDir}/backup/clients
cat > ${baseDir}/docker/.env.example
chown www-data: ${baseDir}/docker/.env.example`;
  await host.exec(script, { input });
}
