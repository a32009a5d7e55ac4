import type { BuildActivities } from '../../activities/servers/builds/activities.js';
import type { AnnouncementActivities } from '../../activities/servers/announcements.js';
import type { BuildImageParams, BuildImageResult } from '../contract/servers/builds.js';
import { SERVER_KINDS } from '../contract/servers/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const builds = acts<BuildActivities>('servers');
const announcements = acts<AnnouncementActivities>('servers');

/**
 * Code, build directory and image of a version on one server. Until the image is there a failure puts all three back,
 * so that the server is as it was while a person looks. `docs/contract/servers.md`, Build.
 */
export async function buildImage(input: OperationInput<BuildImageParams>): Promise<BuildImageResult> {
  return runOperation(SERVER_KINDS.build_image, input, async (op) => {
    const { serverId, release } = op.params;
    const { build, kept } = await op.check('survey', {
      title: 'Choose the version',
      do: builds.surveyBuild({ ...op.params, operation: op.id }),
    });
    const { image, version } = build;
    let commit: string | null = null;

    if (!kept) {
      const trees = { title: 'Lock the trees', leaveTitle: 'Unlock the trees' };
      await op.during(
        'trees',
        { ...trees, enter: builds.lockTrees(build), leave: builds.unlockTrees(build) },
        async () => {
          commit = await op.step('fetch', {
            title: 'Fetch the code',
            target: build.branch,
            do: builds.fetchCode(build),
            planned: '',
            within: '30 minutes',
          });
          const code = { ...build, commit };
          await op.step('docker', {
            title: 'Bring the code to the build directory',
            do: builds.placeBuildDirectory(code),
            undo: builds.restoreBuildDirectory(build),
            within: '30 minutes',
          });
          await op.step('www', {
            title: 'Bring up the current code and run the build commands',
            do: builds.buildCode(code),
            undo: builds.restoreCode(build),
            within: '2 hours',
          });
          await op.step('image', {
            title: 'Build the image',
            target: image,
            do: builds.buildImage(code),
            undo: builds.removeImage(build),
            within: '2 hours',
          });
        },
      );
    }

    op.commit();
    if (!kept)
      await op.step('former', {
        title: 'Forget the former code',
        do: builds.forgetFormer(build),
        onFail: 'warn',
      });
    if (release === undefined) return { image, version, commit };
    const told = await op.step('clients', {
      title: 'Tell the clients',
      do: announcements.announceRelease({ serverId, release }),
      planned: { clients: 0 },
      skippable: true,
      within: '30 minutes',
    });
    return { image, version, commit, told: told?.clients ?? 0 };
  });
}
