import type { ProbeInput, ProbeKind, ProbeResults } from '../contract/servers/probes.js';
import { activitiesOf } from '../operation/acts.js';

interface Probes {
  probeServer(input: ProbeInput): Promise<ProbeResults[ProbeKind]>;
}

/** A live reading, not an operation: one try, bounded by the caller's execution timeout. */
export async function probe(input: ProbeInput): Promise<ProbeResults[ProbeKind]> {
  const { probeServer } = activitiesOf<Probes>('servers', {
    // the API waits 5 s; what comes later is for nobody
    startToCloseTimeout: '7 seconds',
    retry: { maximumAttempts: 1 },
  });
  return probeServer(input);
}
