import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import postgres from 'postgres';
import { startPostgres } from '../../start/services/postgres.js';
import { isAlive } from '../../process/process-id.js';
import { run } from '../../process/run.js';
import { startTemporal } from '../../start/services/temporal.js';
import { ensureTemporal } from '../../start/tools/temporal-cli.js';

const log = (line: string): void => console.log(line);

describe('services of the lab', () => {
  const made: string[] = [];
  after(async () => {
    for (const dir of made) await rm(dir, { recursive: true, force: true });
  });
  /** Given as it is: inside another's private directory, Postgres' own user could not enter. */
  async function directory(name: string): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), `slipway-${name}-`));
    made.push(dir);
    return dir;
  }

  it('postgres keeps its data over a crash, and stops', async () => {
    const options = { dir: await directory('postgres'), persistent: true, log };
    const first = await startPostgres(options);
    const sql = postgres(first.url, { max: 1 });
    await sql`create table kept (n int)`;
    await sql.end();
    await first.kill();
    const second = await startPostgres(options);
    const again = postgres(second.url, { max: 1 });
    assert.equal((await again`select count(*)::int as n from kept`)[0]?.['n'], 0);
    await again.end();
    await second.stop();
    assert.equal(isAlive(second.process), false);
  });

  it('temporal keeps its address and its namespace over a crash', async () => {
    const temporal = await ensureTemporal(log);
    const server = await startTemporal({
      dir: await directory('temporal'),
      log,
      searchAttributes: ['OpId', 'ClientId'],
    });
    const describeIt = async (): Promise<string> => {
      const at = ['--address', server.address];
      const namespace = await run(temporal, [
        'operator',
        'namespace',
        'describe',
        'default',
        '-o',
        'json',
        ...at,
      ]);
      const attributes = await run(temporal, ['operator', 'search-attribute', 'list', ...at]);
      return namespace.stdout + attributes.stdout;
    };
    const before = server.pid;
    await server.kill();
    await server.restart();
    assert.notEqual(server.pid, before);
    const text = await describeIt();
    assert.match(text, /"workflowExecutionRetentionTtl": "604800s"/);
    assert.match(text, /OpId\s+Keyword/);
    await server.stop();
    assert.equal(isAlive(server.process), false);
  });
});
