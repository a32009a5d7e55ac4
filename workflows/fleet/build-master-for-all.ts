import type { ReleaseRecords } from '../../activities/servers/releases.js';
import type { BuildMasterForAllParams } from '../contract/servers/builds.js';
import type { FanOutResult } from '../contract/operation/fan-out.js';
import { SERVER_KINDS } from '../contract/servers/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const releases = acts<ReleaseRecords>('servers');

/** Ten servers at a time: each builds on its own, but all of them fetch from one repository. */
const AT_ONCE = 10;
/** A server that fails holds by itself, and keeps no other one back. */
const RULES = { window: AT_ONCE, canary: 0, stopAfterFailures: 100 };

/** Every active server builds the version, then tells its clients; what has been built stays, whatever becomes of the rest. */
export async function buildMasterForAll(
  input: OperationInput<BuildMasterForAllParams>,
): Promise<FanOutResult> {
  return runOperation(SERVER_KINDS.build_master_for_all, input, async (op) => {
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
      of: SERVER_KINDS.build_image,
      rules: RULES,
    });
  });
}
