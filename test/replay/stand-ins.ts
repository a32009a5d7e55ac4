import type { CleanupActivities } from '../../activities/operation/cleanup.js';
import type { FleetRecords } from '../../activities/servers/fleet.js';
import type { createWings } from '../../worker/activities.js';
import type { BuildImageParams } from '../../workflows/contract/servers/builds.js';
import type { CleanupPlan } from '../../workflows/contract/operation/cleanup.js';
import type { ClientNames } from '../../workflows/contract/clients/clients.js';
import type { ChildToStart } from '../../workflows/contract/operation/fan-out.js';

/** What acts of workflows name, with the real names and result shapes; a stand-in that drifts does not compile. */
type StandIns = ReturnType<typeof createWings>['activities'];

/** Activities that do nothing and answer at once, as those of a healthy host would. */
export function createStandIns(): StandIns {
  const nothing = (): Promise<void> => Promise.resolve();
  const nobody = () => Promise.resolve([]);
  return {
    clients: {
      reserveClient: ({ clientId }) =>
        Promise.resolve({
          names: namesOf(clientId),
          passwordGiven: true,
          adminPassword: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
          ...certified(clientId),
        }),
      releaseClient: nothing,
      foreseeClient: ({ clientId }) =>
        Promise.resolve({ names: namesOf(clientId), passwordGiven: true, adminPassword: '' }),
      foreseeAdminPassword: () => Promise.resolve({ first: true }),
      recordAdminPassword: () => Promise.resolve({ first: true }),
      activateClient: nothing,
      findClientThing: ({ clientId }) => Promise.resolve({ ...thingOf(clientId), ...certified(clientId) }),
      requireClientThing: ({ clientId }) => Promise.resolve(thingOf(clientId)),
      markClientDeleting: nothing,
      recordBackup: nothing,
      forgetClient: nothing,
      readClientState: () => Promise.resolve({ status: 'active', demo: false }),
      requireChangedThing: ({ clientId }) => Promise.resolve(thingOf(clientId)),
      recordChange: nothing,
      restoreRecord: nothing,
      findCopy: ({ clientId, sourceId }) =>
        Promise.resolve({
          source: thingOf(sourceId),
          target: thingOf(clientId),
          next: thingOf(clientId),
          versionTag: '1.3-master',
          sharesKey: true,
        }),
      adoptApplicationKey: nothing,
      writeCopiedFiles: nothing,
      sanitizeCopy: nothing,
      createOwnBaseData: nothing,
      reserveTarget: ({ clientId, serverId }) => Promise.resolve(preparedOn(clientId, serverId)),
      foreseeTarget: ({ clientId, serverId }) => Promise.resolve(preparedOn(clientId, serverId)),
      releaseTarget: nothing,
      switchToTarget: nothing,
      findKeptSource: ({ clientId }) => Promise.resolve(thingOf(clientId)),
      forgetKeptSource: nothing,
      ensureImage: nothing,
      writeMovedFiles: nothing,
      sumSource: nothing,
      moveDump: () => Promise.resolve({ path: '/srv/slipway/moves/1/moved-1' }),
      compareWithSource: nothing,
      checkFromInside: nothing,
      clearMove: nothing,
      listOverdueSources: nobody,
      writeMaintenance: nothing,
      surveyDatabase: nothing,
      ensureDatabase: nothing,
      removeDatabase: nothing,
      dropDatabase: nothing,
      writeCloudSettings: nothing,
      changeCloudSettings: nothing,
      restoreCloudSettings: nothing,
      refreshClientFiles: () => Promise.resolve({ restart: true, recreate: false }),
      restoreClientFiles: nothing,
      dropFormerFiles: nothing,
      restartContainers: nothing,
      endRestart: nothing,
      refreshVhost: () => Promise.resolve({ changed: true }),
      restoreVhost: nothing,
      dropFormerVhost: nothing,
      changeBaseData: nothing,
      restoreBaseData: nothing,
      switchDemo: nothing,
      switchMaintenance: nothing,
      surveyHost: nothing,
      writeClientFiles: nothing,
      removeClientFiles: nothing,
      startContainers: nothing,
      removeContainers: nothing,
      stopContainers: nothing,
      startStopped: nothing,
      restoreClient: nothing,
      copyBeside: nothing,
      copyLive: nothing,
      chooseRehearsal: ({ wanted = 'migrate', migrates }) =>
        Promise.resolve({ mode: migrates ? wanted : 'off', because: 'it may' }),
      rehearseMigration: nothing,
      endRehearsal: nothing,
      bringBack: nothing,
      makeSpare: () => Promise.resolve({ made: true }),
      settleSpare: nothing,
      requireImage: nothing,
      switchImage: nothing,
      startAnew: nothing,
      checkRestorable: nothing,
      recordVersion: nothing,
      recordClientVersion: nothing,
      foreseeVersion: ({ clientId, versionTag = '1.3-master', force }) => {
        const thing = thingOf(clientId);
        const image = `registry.example.test/product:${versionTag}`;
        const next = { ...thing, names: { ...thing.names, image } };
        return Promise.resolve({ current: thing, next, versionTag, migrates: force !== true });
      },
      backupClient: ({ names }) =>
        Promise.resolve({ path: `/srv/backup/clients/${names.name}`, sizeBytes: 4_096 }),
      migrateClient: nothing,
      createBaseData: nothing,
      setAdminPassword: nothing,
      countUsers: () => Promise.resolve(3),
      publishVhost: nothing,
      secureVhost: () => Promise.resolve({ secured: true }),
      removeVhost: nothing,
      checkFromOutside: () => Promise.resolve({ warning: null }),
      sendClientMail: () => Promise.resolve({ state: 'sent', withPassword: true }),
      sendExpiryReminder: () => Promise.resolve({ state: 'sent' }),
      planExpiry: () => Promise.resolve({ due: [], next: null }),
      recordLocked: nothing,
      recordUnlocked: nothing,
      issueCertificate: ({ names }) =>
        Promise.resolve({ kept: names.clientId === SECURED ? [thingOf(SECURED)] : [] }),
      checkCertificate: () => Promise.resolve({ expiresAt: '2031-01-31T12:00:00.000Z' }),
      removeCertificate: nothing,
      readCertificates: () => Promise.resolve({ next: null }),
      listCertificatesDue: nobody,
      checkAvailability: () => Promise.resolve({ asked: 0, next: null }),
      countUsersOn: () => Promise.resolve({ counted: 0, failed: 0 }),
    },
    servers: {
      removeOldJobs: nothing,
      listActiveServers: nobody,
      listClientsToSwitch: nobody,
      listClientsToMigrate: nobody,
      listClientsToRefresh: nobody,
      listServersToReconfigurate: nobody,
      countChanged: () => Promise.resolve({ changed: 0 }),
      listServerOutcomes: () => Promise.resolve({ changed: 0, servers: [] }),
      requireVersion: nothing,
      pullConfiguration: () => Promise.resolve({ commit: '0f3c1a7be5d24c6893b1a0d4f6e8c2b7a9d5e013' }),
      surveyBuild: ({ serverId, operation, branch, version, existing }) =>
        Promise.resolve({
          build: { serverId, operation, branch, version, image: `product:${version}`, formerImage: null },
          kept: existing === 'keep',
        }),
      lockTrees: nothing,
      unlockTrees: nothing,
      fetchCode: () => Promise.resolve('0f3c2a1b0f3c2a1b0f3c2a1b0f3c2a1b0f3c2a1b'),
      placeBuildDirectory: nothing,
      restoreBuildDirectory: nothing,
      buildCode: nothing,
      restoreCode: nothing,
      buildImage: nothing,
      removeImage: nothing,
      forgetFormer: nothing,
      recordRelease: nothing,
      forgetRelease: nothing,
      listBuilds: ({ operation, version }) => Promise.resolve(buildsOf(operation, version)),
      announceRelease: () => Promise.resolve({ clients: 2 }),
      countImages: () => Promise.resolve({ tags: ['product:1.3-master'], bytes: 4_096 }),
      choosePrunable: () => Promise.resolve({ images: [] }),
      pruneImages: nothing,
      surveyReboot: () => Promise.resolve({ bootId: 'former' }),
      rebootHost: () => Promise.resolve({ bootId: 'present' }),
      startClients: () => Promise.resolve({ started: 1 }),
      checkClients: () =>
        Promise.resolve([
          { clientId: 1, hostname: 'client1.example.test', ok: true, status: 200 },
          { clientId: 2, hostname: 'client2.example.test', ok: false, status: null },
        ]),
      probeServer: () =>
        Promise.resolve({
          readAt: '2031-01-31T12:00:00.000Z',
          images: [],
          versions: ['1.3-master', '1.4-master'],
          reachable: true,
          hostKey: null,
          lines: [],
          allowed: true,
        }),
      removeOldBackups: () => Promise.resolve({ removed: 0 }),
    },
  };
}

/** Servers that are in no other recorded path. */
function buildsOf(release: string, version: string): ChildToStart[] {
  return [51, 52].map((serverId) => {
    const params: BuildImageParams = { serverId, branch: 'master', version, existing: 'keep', release };
    return { subject: `server:${serverId}`, params };
  });
}

/** A fleet of two servers with two clients each. */
export function createFleetStandIn(): Pick<StandIns['servers'], keyof FleetRecords> {
  const clientsOf = ({ serverId, ...params }: { serverId: number }) =>
    Promise.resolve(
      [1, 2].map((index) => {
        const clientId = serverId * 100 + index;
        return {
          subject: `client:${clientId}`,
          // where the stand-ins for clients say that each lives
          params: { ...params, clientId, serverId: 1 },
          group: `server:${serverId}`,
        };
      }),
    );
  return {
    listClientsToSwitch: clientsOf,
    listClientsToMigrate: clientsOf,
    listClientsToRefresh: clientsOf,
    listServersToReconfigurate: ({ rules }) =>
      Promise.resolve(
        [36, 37].map((serverId) => ({ subject: `server:${serverId}`, params: { serverId, rules } })),
      ),
    countChanged: () => Promise.resolve({ changed: 2 }),
    listServerOutcomes: () => Promise.resolve({ changed: 4, servers: [] }),
  };
}

/** A ledger in which two undos are open; on `client:24` one of them stays so. */
export function createLedgerStandIn(): CleanupActivities {
  return {
    listLeft: ({ subject }) => Promise.resolve(leftOn(Number(subject.split(':')[1]))),
    countLeft: ({ subject }) => Promise.resolve({ open: subject === 'client:24' ? 1 : 0 }),
    settleUndo: () => Promise.resolve(),
  };
}

/** Their server has certificates made. */
function certified(clientId: number): { certificate?: true } {
  return [25, 26, 27].includes(clientId) ? { certificate: true } : {};
}

/** The operation that made every recorded client. */
const CREATOR = '01JREPEAT00000000000000000';

/** A client that is moved with a certificate, and whose source is kept. */
const SECURED = 175;

function thingOf(clientId: number): { names: ClientNames; operation: string } {
  return { names: namesOf(clientId), operation: CREATOR };
}

function preparedOn(clientId: number, serverId: number) {
  const { names } = thingOf(clientId);
  const target = { names: { ...names, serverId }, operation: CREATOR };
  return { target, underMaintenance: false, ...(clientId === SECURED ? { certificate: true as const } : {}) };
}

/** What a clean-up finds of the client's create. */
function leftOn(clientId: number): CleanupPlan {
  const common = { of: CREATOR, input: thingOf(clientId) };
  return {
    undos: [
      {
        ...common,
        id: 'files#4',
        key: 'files',
        title: 'Write configuration',
        activity: 'clients.removeClientFiles',
      },
      { ...common, id: 'reserve#1', key: 'reserve', title: 'Take a port', activity: 'clients.releaseClient' },
    ],
    jobs: [{ key: 'end-jobs', place: 'server:1', operation: CREATOR }],
  };
}

function namesOf(clientId: number): ClientNames {
  const name = `client${clientId}`;
  return {
    clientId,
    serverId: 1,
    name,
    directory: `/srv/docker/clients/${name}`,
    vhostFile: `/etc/nginx/conf.d/${name}.conf`,
    hostname: `${name}.example.test`,
    subnet: '10.213.0.16/28',
    port: 20_001,
    image: 'registry.example.test/product:1.3-master',
    product: 'sample',
    secrets: {
      databasePassword: '01JREPEATSECRET00000000001',
      clientToken: '01JREPEATSECRET00000000002',
      applicationKey: '01JREPEATSECRET00000000003',
    },
  };
}
