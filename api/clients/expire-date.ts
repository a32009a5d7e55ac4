import type { RouteDeps } from '../operations/deps.js';
import type { Planned } from '../operations/plan.js';
import type { StartedBy } from '../operations/caller.js';
import type { Started } from '../operations/start.js';
import { momentOf } from './change.js';
import { startChange } from './start-change.js';
import { PRESENT } from './status.js';

interface ExpireDateRequest extends StartedBy {
  id: number;
  /** who changes it, for the audit log */
  sender: string;
  /** without an offset in the client's time zone */
  written: string;
}

export function setExpireDate(
  deps: RouteDeps,
  { id, sender, written, caller, options }: ExpireDateRequest,
): Promise<Started | Planned> {
  return startChange(deps, {
    kind: 'set_expire_date',
    id,
    caller,
    options,
    allowed: PRESENT,
    wish(client) {
      const licenseExpiresAt = momentOf(written, client.timezone);
      return {
        params: {},
        changes: licenseExpiresAt === undefined ? {} : { licenseExpiresAt },
        detail: { sender, license_expires_at: licenseExpiresAt ?? null },
      };
    },
  });
}
