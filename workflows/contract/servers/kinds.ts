import { AUTO_VERSION, BUILD_BRANCHES, branchOf, TAG, VERSION } from '../clients/versions.js';
import { defineKinds, type KindRow, type OwnOfKind } from '../operation/definition.js';
import { failure } from '../operation/failures.js';
import { subjectId } from '../operation/ids.js';
import { requireFlag, requireId } from '../operation/params.js';
import type { BuildImageParams, BuildMasterForAllParams } from './builds.js';
import { requireRehearsal } from '../clients/rehearsal.js';
import type {
  ReconfigurateParams,
  RehearsedFanOutParams,
  ServerFanOutParams,
  SwitchAllParams,
} from './fleet.js';
import type { ServerParams } from './server-work.js';
import { rulesOf } from './rules.js';

/** A history holds it once; servers read it from the records. */
export const INFO_LIMIT = 50_000;

/** An operation on one server as a whole. */
function onServer<Params extends { serverId: number }>(own: OwnOfKind<Params>): KindRow<Params> {
  return {
    subject: ({ serverId }) => subjectId('server', serverId),
    attributes: ({ serverId }) => ({ ServerId: String(serverId) }),
    places: ({ serverId }) => [subjectId('server', serverId)],
    leavesJobs: true,
    ...own,
    validate(params) {
      requireId('serverId', params.serverId);
      own.validate?.(params);
    },
  };
}

/** One for each of the server's clients, which are admitted there by themselves. */
function forClients<Params extends ServerFanOutParams>(own: OwnOfKind<Params>): KindRow<Params> {
  return onServer({
    leavesJobs: false,
    fansOut: true,
    ...own,
    validate(params) {
      own.validate?.(params);
      rulesOf(params.rules);
    },
  });
}

/** Everything that can be done with a server, and with all of them. */
export const SERVER_KINDS = defineKinds({
  build_image: onServer<BuildImageParams>({
    workflow: 'buildImage',
    title: ({ serverId, version, branch }) =>
      `Build ${version === AUTO_VERSION ? `the next version of ${branch}` : version} on server ${serverId}`,
    admission: () => 'shared',
    validate({ branch, version, existing, release }) {
      if (!BUILD_BRANCHES.includes(branch)) throw failure('InvalidInput', '"branch" must be dev or master');
      if (version !== AUTO_VERSION && !(VERSION.test(version) && branchOf(version) === branch))
        throw failure('InvalidInput', `"version" must be auto or a version such as 1.3-${branch}`);
      if (!['refuse', 'replace', 'keep'].includes(existing))
        throw failure('InvalidInput', '"existing" must be refuse, replace or keep');
      if (release !== undefined && typeof release !== 'string')
        throw failure('InvalidInput', '"release" must be the id of an operation');
    },
  }),
  prune_server: onServer<ServerParams>({
    workflow: 'pruneServer',
    title: ({ serverId }) => `Remove unused images from server ${serverId}`,
    admission: () => 'exclusive',
  }),
  reboot_server: onServer<ServerParams>({
    workflow: 'rebootServer',
    title: ({ serverId }) => `Reboot server ${serverId}`,
    // drained: nobody else works there once it is had
    admission: () => 'exclusive',
  }),
  switch_all: forClients<SwitchAllParams>({
    workflow: 'switchAll',
    title: ({ serverId, versionTag }) => `Switch all clients of server ${serverId} to ${versionTag}`,
    validate({ versionTag, force, rehearse }) {
      requireRehearsal(rehearse);
      if (typeof versionTag !== 'string' || !TAG.test(versionTag))
        throw failure('InvalidInput', '"versionTag" must be a version tag such as 1.4-master');
      requireFlag('force', force);
    },
  }),
  migrate_all: forClients<RehearsedFanOutParams>({
    workflow: 'migrateAll',
    title: ({ serverId }) => `Migrate all clients of server ${serverId}`,
    validate: ({ rehearse }) => requireRehearsal(rehearse),
  }),
  deploy_server: forClients<ServerFanOutParams>({
    workflow: 'deployServer',
    title: ({ serverId }) => `Deploy all configurations of server ${serverId}`,
  }),
  reconfigurate_server: forClients<ServerFanOutParams>({
    workflow: 'reconfigurateServer',
    title: ({ serverId }) => `Reconfigurate server ${serverId}`,
    // it pulls by itself before they begin
    leavesJobs: true,
  }),
  build_master_for_all: {
    workflow: 'buildMasterForAll',
    fansOut: true,
    subject: () => subjectId('fleet', 'build_master_for_all'),
    title: ({ version }: BuildMasterForAllParams) => `Build ${version} on every server`,
    validate({ version, info, force }: BuildMasterForAllParams) {
      if (typeof version !== 'string' || !VERSION.test(version) || branchOf(version) !== 'master')
        throw failure('InvalidInput', '"version" must be a version such as 1.3-master');
      if (typeof info !== 'string' || info.length > INFO_LIMIT)
        throw failure('InvalidInput', `"info" must be a text of at most ${INFO_LIMIT} characters`);
      requireFlag('force', force);
    },
  },
  reconfigurate: {
    workflow: 'reconfigurate',
    fansOut: true,
    subject: () => subjectId('fleet', 'reconfigurate'),
    title: () => 'Reconfigurate all servers',
    validate({ rules }: ReconfigurateParams) {
      rulesOf(rules);
    },
  },
});
