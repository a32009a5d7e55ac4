import type { DockerActivities } from '../../activities/clients/containers/activities.js';
import type { RehearsalActivities } from '../../activities/clients/rehearsal/activities.js';
import type { SpareActivities } from '../../activities/clients/database/spare.js';
import type { VersionChange } from '../contract/clients/clients.js';
import { spareOf } from '../contract/clients/databases.js';
import type { Rehearsal } from '../contract/clients/rehearsal.js';
import { acts } from '../operation/acts.js';
import type { Operation } from '../operation/story.js';

const docker = acts<DockerActivities>('clients');
const spare = acts<SpareActivities>('clients');
const rehearsal = acts<RehearsalActivities>('clients');

/**
 * While the client serves: its data restored beside, and the new version's migrations run on them. What fails in it ends
 * the operation before anybody was sent away.
 */
export async function rehearse(
  op: Pick<Operation<{ rehearse?: Rehearsal }>, 'params' | 'check' | 'step'>,
  { current, next, migrates }: VersionChange,
): Promise<void> {
  const { rehearse: wanted } = op.params;
  const { mode } = await op.check('check-room', {
    title: 'Look for room for a copy, and how much can be rehearsed',
    do: rehearsal.chooseRehearsal({ ...current, migrates, ...(wanted === undefined ? {} : { wanted }) }),
    found: ({ mode: its, because }) => `${its}: ${because}`,
  });
  if (mode === 'off') return;
  const target = spareOf(current.names);
  await op.step('rehearsal-spare', {
    title: 'Make a second database beside',
    target,
    do: spare.makeSpare(current),
    undo: spare.settleSpare(current),
  });
  await op.step('rehearsal-copy', {
    title: 'Rehearse: restore its data there, while it serves',
    target,
    do: docker.copyLive(current),
    onFail: 'rollback',
    within: '6 hours',
  });
  if (mode === 'migrate') {
    await op.step('rehearsal', {
      title: 'Rehearse: run migrations there, while it serves',
      target: next.names.image,
      do: rehearsal.rehearseMigration(next),
      undo: rehearsal.endRehearsal(next),
      onFail: 'rollback',
      within: '2 hours',
    });
  }
  await op.step('rehearsal-drop', {
    title: 'Drop the second database',
    target,
    do: spare.settleSpare(current),
  });
}
