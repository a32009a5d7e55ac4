import type { AvailabilityActivities } from '../../activities/clients/monitoring/availability.js';
import { activitiesOf } from '../operation/acts.js';

/** Every minute: is every client reachable. Its result is in the clients' rows. */
export async function sweepAvailability(): Promise<{ asked: number }> {
  const { checkAvailability } = activitiesOf<AvailabilityActivities>('clients', {
    // a page of 500 on servers that all hang; the next minutes are skipped meanwhile
    startToCloseTimeout: '5 minutes',
    // one beat per client, each with two questions of 5 s
    heartbeatTimeout: '30 seconds',
    // the next minute brings the next try
    retry: { maximumAttempts: 1 },
  });
  let asked = 0;
  for (let after: number | null = 0; after !== null; ) {
    const page: Awaited<ReturnType<AvailabilityActivities['checkAvailability']>> = await checkAvailability({
      after,
    });
    asked += page.asked;
    after = page.next;
  }
  return { asked };
}
