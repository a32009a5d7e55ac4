import { setTimeout as delay } from 'node:timers/promises';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import temporalProto from '@temporalio/proto';
import type { NativeConnection } from '@temporalio/worker';
import { SEARCH_ATTRIBUTES } from '../workflows/contract/search-attributes.js';

const { INDEXED_VALUE_TYPE_KEYWORD } = temporalProto.temporal.api.enums.v1.IndexedValueType;
/** A week: the archive of a closed operation is written within minutes, and yesterday's can still be looked into. */
const RETENTION_MS = 7 * 24 * 3_600_000;

/** Ten times what it takes. */
const KNOWN_MS = 20_000;

/**
 * Gives the namespace the search attributes and the retention that operations need; what is there already stays, a
 * longer retention too. Several workers may do it at once.
 */
export async function ensureNamespace(connection: NativeConnection, namespace: string): Promise<void> {
  await ensureSearchAttributes(connection, namespace);
  await ensureRetention(connection, namespace);
}

async function ensureSearchAttributes(
  { operatorService, workflowService }: NativeConnection,
  namespace: string,
): Promise<void> {
  const missing = async () => {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return Object.keys(SEARCH_ATTRIBUTES).filter((name) => !(name in customAttributes));
  };
  const names = await missing();
  if (names.length === 0) return;
  const searchAttributes = Object.fromEntries(names.map((name) => [name, INDEXED_VALUE_TYPE_KEYWORD]));
  try {
    await operatorService.addSearchAttributes({ namespace, searchAttributes });
  } catch (error) {
    // another worker was first
    if ((await missing()).length > 0) throw error;
  }
  // a cluster learns of them within two seconds; until then it refuses starts that carry one
  const query = names.map((name) => `${name} = 'x'`).join(' or ');
  for (const until = Date.now() + KNOWN_MS; ; await delay(100)) {
    try {
      await workflowService.countWorkflowExecutions({ namespace, query });
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
  }
}

async function ensureRetention({ workflowService }: NativeConnection, namespace: string): Promise<void> {
  const { config } = await workflowService.describeNamespace({ namespace });
  const present = config?.workflowExecutionRetentionTtl;
  if (present && tsToMs(present) >= RETENTION_MS) return;
  const workflowExecutionRetentionTtl = msToTs(RETENTION_MS);
  await workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl } });
}
