import type { DockerActivities } from '../../activities/clients/containers/activities.js';
import type { Backup } from '../../activities/clients/containers/backup.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { SpareActivities } from '../../activities/clients/database/spare.js';
import type { ClientThing } from '../contract/clients/clients.js';
import { spareOf } from '../contract/clients/databases.js';
import { acts } from '../operation/acts.js';
import type { Operation } from '../operation/story.js';

const records = acts<ClientRecords>('clients');
const docker = acts<DockerActivities>('clients');
const spare = acts<SpareActivities>('clients');

/** Dumping and restoring a large client takes hours. */
const LONG = '6 hours';

type Steps = Pick<Operation<unknown>, 'step'>;

/**
 * The client as it is when its data are about to change, and with the image that it will have. Asked in every telling of
 * what may go back: that leaves it on its other database.
 */
export async function lookAgain(
  op: Pick<Operation<unknown>, 'check'>,
  { clientId, image }: { clientId: number; image: string },
): Promise<{ before: ClientThing; after: ClientThing }> {
  const before = await op.check('database', {
    title: 'Look which database is in use',
    do: records.requireClientThing({ clientId }),
  });
  return { before, after: { ...before, names: { ...before.names, image } } };
}

/**
 * Before anything of a client's data changes: a backup, and out of it a second database beside. What goes wrong afterwards
 * is taken back by `docker.bringBack`, which restores no database. Nothing may write to the client meanwhile.
 */
export async function keepWholeCopy(
  op: Steps,
  thing: ClientThing,
  { keepDays }: { keepDays: number },
): Promise<Backup> {
  const { names } = thing;
  const backup = await op.step('backup', {
    title: 'Back up database and files',
    target: names.directory,
    do: docker.backupClient({ ...thing, keepDays }),
    planned: { path: '', sizeBytes: 0 },
    within: LONG,
  });
  await op.step('record-backup', {
    title: 'Record the backup',
    do: records.recordBackup({ clientId: names.clientId, keepDays, kind: 'change', ...backup }),
  });
  await copyBeside(op, thing, { path: backup.path });
  return backup;
}

/** Proves a backup: restored into a second database, and compared with the first. `skippable`: nothing of it is changed afterwards. */
export async function copyBeside(
  op: Steps,
  thing: ClientThing,
  { path, skippable = false }: { path: string; skippable?: boolean },
): Promise<void> {
  const target = spareOf(thing.names);
  const { made } = (await op.step('spare', {
    title: 'Make a second database beside',
    target,
    do: spare.makeSpare({ ...thing, ...(skippable ? { ifThere: true } : {}) }),
    undo: spare.settleSpare(thing),
    planned: { made: true },
    skippable,
  })) ?? { made: false };
  if (!made) return;
  await op.step('copy', {
    title: 'Restore the backup there, and compare',
    target,
    do: docker.copyBeside({ ...thing, path }),
    skippable,
    within: LONG,
  });
}

/** Once the change is whole. */
export async function dropCopy(op: Steps, thing: ClientThing): Promise<void> {
  await op.step('drop-copy', {
    title: 'Drop the copy beside',
    target: spareOf(thing.names),
    do: spare.settleSpare(thing),
    onFail: 'warn',
  });
}
