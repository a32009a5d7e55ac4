import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { labDir, stateFile } from './config.js';
import { openLabHost } from './host.js';
import { sweepHosts } from './host-files.js';
import { withLock } from '../process/lock.js';
import { endProcess } from '../process/process-id.js';
import { readUpState } from './up-state.js';

const log = (line: string): void => console.log(line);

/** Ends exactly what `up` recorded, then sweeps hosts whose processes are dead; data of Temporal and Postgres stays. */
async function down(): Promise<void> {
  const state = await readUpState();
  await Promise.all(
    (state?.hosts ?? []).map(async (host) => {
      await openLabHost(host).stop();
      log(`lab host ${host.name} is gone`);
    }),
  );
  // 10 s each: both flush and leave in about a second.
  if (state?.temporal) await endProcess(state.temporal.process, 10_000);
  if (state?.postgres) await endProcess(state.postgres.process, 10_000, 'SIGINT');
  await rm(stateFile, { force: true });
  const swept = await sweepHosts();
  if (swept > 0) log(`swept ${swept} lab hosts of dead processes`);
  log('everything is down');
}

await withLock(join(labDir, 'up.lock'), down);
