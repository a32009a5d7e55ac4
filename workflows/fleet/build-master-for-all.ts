import type { ReleaseRecords } from '../../activities/servers/releases.js';
import type { BuildMasterForAllParams } from '../contract/servers/builds.js';
import { failure } from '../contract/operation/failures.js';
import type { FanOutResult } from '../contract/operation/fan-out.js';
import { subjectId } from '../contract/operation/ids.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { branchOf, VERSION } from '../contract/clients/versions.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const releases = acts<ReleaseRecords>();

/** A history holds it once; servers read it from the records. */
export const INFO_LIMIT = 50_000;

const definition = {
  kind: 'build_master_for_all',
  subject: () => subjectId('fleet', 'build_master_for_all'),
  title: ({ version }: BuildMasterForAllParams) => `Build ${version} on every server`,
  validate({ version, info, force }: BuildMasterForAllParams) {
    if (typeof version !== 'string' || !VERSION.test(version) || branchOf(version) !== 'master')
      throw failure('InvalidInput', '"version" must be a version such as 1.3-master');
    if (typeof info !== 'string' || info.length > INFO_LIMIT)
      throw failure('InvalidInput', `"info" must be a text of at most ${INFO_LIMIT} characters`);
    if (typeof force !== 'boolean') throw failure('InvalidInput', '"force" must be true or false');
  },
};

/** Ten servers at a time: each builds on its own, but all of them fetch from one repository. */
const AT_ONCE = 10;
/** A server that fails holds by itself, and keeps no other one back. */
const RULES = { window: AT_ONCE, canary: 0, stopAfterFailures: 100 };

/** Every active server builds the version, then tells its clients; what has been built stays, whatever becomes of the rest. */
export async function buildMasterForAll(
  input: OperationInput<BuildMasterForAllParams>,
): Promise<FanOutResult> {
  return runOperation(definition, input, async (op) => {
    const { version, info, force } = op.params;
    await op.step('release', {
      title: 'Record the version',
      target: version,
      do: releases.recordRelease({ operation: op.id, version, info }),
      undo: releases.forgetRelease({ operation: op.id }),
    });
    return op.fanOut('servers', {
      title: 'Build on every active server',
      list: releases.listBuilds({ operation: op.id, version, force }),
      workflow: 'buildImage',
      kind: 'build_image',
      rules: RULES,
    });
  });
}
