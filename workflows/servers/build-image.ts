import type { BuildActivities } from '../../activities/servers/builds/activities.js';
import type { JobActivities } from '../../activities/servers/jobs.js';
import type { AnnouncementActivities } from '../../activities/servers/announcements.js';
import type { BuildImageParams, BuildImageResult } from '../contract/servers/builds.js';
import { failure } from '../contract/operation/failures.js';
import { subjectId } from '../contract/operation/ids.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { AUTO_VERSION, BUILD_BRANCHES, branchOf, VERSION } from '../contract/clients/versions.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { requireId } from '../clients/params.js';

const builds = acts<BuildActivities>();
const announcements = acts<AnnouncementActivities>();
const jobs = acts<JobActivities>();

const definition = {
  kind: 'build_image',
  subject: ({ serverId }: BuildImageParams) => subjectId('server', serverId),
  title: ({ serverId, version, branch }: BuildImageParams) =>
    `Build ${version === AUTO_VERSION ? `the next version of ${branch}` : version} on server ${serverId}`,
  attributes: ({ serverId }: BuildImageParams) => ({ ServerId: String(serverId) }),
  admission: ({ serverId }: BuildImageParams) => ({ servers: [serverId] }),
  tidy: ({ serverId }: BuildImageParams, operation: string) => jobs.removeJobs({ serverId, operation }),
  validate({ serverId, branch, version, existing, release }: BuildImageParams) {
    requireId('serverId', serverId);
    if (!BUILD_BRANCHES.includes(branch)) throw failure('InvalidInput', '"branch" must be dev or master');
    if (version !== AUTO_VERSION && !(VERSION.test(version) && branchOf(version) === branch))
      throw failure('InvalidInput', `"version" must be auto or a version such as 1.3-${branch}`);
    if (!['refuse', 'replace', 'keep'].includes(existing))
      throw failure('InvalidInput', '"existing" must be refuse, replace or keep');
    if (release !== undefined && typeof release !== 'string')
      throw failure('InvalidInput', '"release" must be the id of an operation');
  },
};

/**
 * Code, build directory and image of a version on one server. Until the image is there a failure puts all three back,
 * so that the server is as it was while a person looks. `spec/clients-and-servers.md`, Build.
 */
export async function buildImage(input: OperationInput<BuildImageParams>): Promise<BuildImageResult> {
  return runOperation(definition, input, async (op) => {
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
