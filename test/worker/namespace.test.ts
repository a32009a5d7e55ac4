import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import { ensureNamespace } from '../../worker/namespace.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract/search-attributes.js';
import { openServices, type Services } from '../support/services.js';

/** As a cluster has it before the first worker: nobody gave it attributes, and its retention is short. */
describe('a namespace of a new cluster', () => {
  let services: Services;
  before(async () => {
    services = await openServices();
  });
  after(() => services?.close());

  async function register(days: number): Promise<string> {
    const namespace = `test-${randomBytes(4).toString('hex')}`;
    const workflowExecutionRetentionPeriod = msToTs(`${days} days`);
    await services.native.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
    return namespace;
  }

  async function attributes(namespace: string): Promise<string[]> {
    const { operatorService } = services.native;
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return Object.keys(customAttributes).sort();
  }

  async function retentionDays(namespace: string): Promise<number> {
    const { config } = await services.native.workflowService.describeNamespace({ namespace });
    return tsToMs(config?.workflowExecutionRetentionTtl) / 86_400_000;
  }

  it('gets search attributes and a week of retention, also from workers that start together', async () => {
    const namespace = await register(1);
    assert.deepEqual(await attributes(namespace), []);
    await Promise.all([1, 2, 3].map(() => ensureNamespace(services.native, namespace)));
    assert.deepEqual(await attributes(namespace), Object.keys(SEARCH_ATTRIBUTES).sort());
    assert.equal(await retentionDays(namespace), 7);
  });

  it('keeps a longer retention', async () => {
    const namespace = await register(30);
    await ensureNamespace(services.native, namespace);
    assert.equal(await retentionDays(namespace), 30);
  });
});
