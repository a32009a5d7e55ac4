import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Describe } from '../activities/records/subjects.js';
import { SEARCH_ATTRIBUTES } from '../workflows/contract/search-attributes.js';

/** A describe takes milliseconds; who asks will ask again. */
const DESCRIBE_MS = 3_000;
/** A state that is not one of these may still go on. */
const CLOSED: readonly string[] = ['COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'];

/** Who holds a subject, by the worker's own connection. */
export function createDescribe(client: Client): Describe {
  return async (workflowId) => {
    try {
      const { memo, typedSearchAttributes, status, type } = await client.withDeadline(
        Date.now() + DESCRIBE_MS,
        () => client.workflow.getHandle(workflowId).describe(),
      );
      const said = memo?.['operation'];
      const operation = typeof said === 'string' ? said : typedSearchAttributes.get(SEARCH_ATTRIBUTES.OpId);
      return { running: !CLOSED.includes(status.name), operation, kind: type };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  };
}
