import type { JobActivities } from '../../activities/servers/jobs.js';
import { subjectId } from '../contract/operation/ids.js';
import { acts } from '../operation/acts.js';
import type { Definition } from '../operation/story.js';
import { requireId } from './params.js';

const jobs = acts<JobActivities>();

interface OnClient {
  clientId: number;
  serverId: number;
}

/** What operations on one client that exists have in common; `only` is what they add. */
export function clientDefinition<Params extends OnClient>(
  only: Pick<Definition<Params>, 'kind' | 'title'> & { validate?(params: Params): void },
): Definition<Params> {
  return {
    subject: ({ clientId }) => subjectId('client', clientId),
    attributes: ({ clientId, serverId }) => ({ ClientId: String(clientId), ServerId: String(serverId) }),
    admission: ({ serverId }) => ({ servers: [serverId] }),
    tidy: ({ clientId }, operation) => jobs.removeJobs({ clientId, operation }),
    ...only,
    validate(params) {
      requireId('clientId', params.clientId);
      requireId('serverId', params.serverId);
      only.validate?.(params);
    },
  };
}
