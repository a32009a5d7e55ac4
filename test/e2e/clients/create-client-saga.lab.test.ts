import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { assertGone, assertHealthy, hostnameOf, removeClient } from '../../support/client-checks.js';
import {
  CREATE_CLIENT_STEPS,
  CREATE_CLIENT_STEPS_BEFORE_COMMIT,
  STEPS_OF_OTHER_WAYS,
} from '../../support/create-client-steps.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { type Watch, watchNeighbour } from '../../support/neighbour.js';
import {
  goesBack,
  injectPlanned,
  type Plan,
  planReader,
  sagaRows,
  subdomainFor,
} from '../../support/planned-fault.js';
import { openSystem, type System } from '../../support/system.js';

for (const [slot, hostName, steps] of [
  [11, 'maria', CREATE_CLIENT_STEPS],
  [12, 'pg', STEPS_OF_OTHER_WAYS],
] as const) {
  describe(`create client on ${hostName}, when a step`, { skip: noLab, concurrency: 4 }, () => {
    let system: System;
    let serverId: number;
    let watch: Watch;
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);

    before(async () => {
      const options = { slot, limits: { forwardRetryMs: 500 } };
      system = await openSystem({ ...options, inject: (point, step) => inject(point, step) });
      serverId = await system.addServer(host);
      const neighbour = await system.addClient(serverId);
      const view = await system.ended(neighbour.operation);
      assert.equal(view.state, 'succeeded');
      assert.deepEqual(
        view.steps.map(({ key }) => key),
        CREATE_CLIENT_STEPS,
      );
      watch = watchNeighbour({ address: host.address, hostname: await hostnameOf(system, neighbour.id) });
    });
    after(async () => {
      await watch?.stop();
      await system?.close();
      assert.deepEqual(watch?.disturbances(), []);
      assert.ok((watch?.asked() ?? 0) > 10);
    });

    for (const plan of sagaRows(steps, { chosen: steps, cancelled: steps }))
      it(`${plan.fault}: ${plan.step}`, () => check(plan));

    function inject(point: 'before' | 'after', step: StepContext): Promise<void> {
      return injectPlanned(point, step, {
        client: system.client,
        planOf: ({ subject }) => planReader(system.database.db)(subject),
      });
    }

    async function check(plan: Plan): Promise<void> {
      const { id, operation } = await system.addClient(
        serverId,
        { subdomain: subdomainFor(plan) },
        'on_failure=rollback',
      );
      const view = await system.ended(operation);
      const checked = { system, host, id, view };
      if (goesBack(plan, CREATE_CLIENT_STEPS_BEFORE_COMMIT))
        return assertGone(checked, plan.fault === 'is cancelled' ? 'cancelled' : 'rolled_back');
      await assertHealthy(checked);
      await removeClient(system, host, id);
    }
  });
}
