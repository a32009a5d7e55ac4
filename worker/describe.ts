import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Describe } from '../activities/operation/subjects.js';
import { isOpen, operationOf } from '../workflows/contract/operation/runs.js';

/** A describe takes milliseconds; who asks will ask again. */
const DESCRIBE_MS = 3_000;

/** Who holds a subject, by the worker's own connection. */
export function createDescribe(client: Client): Describe {
  return async (workflowId) => {
    try {
      const description = await client.withDeadline(Date.now() + DESCRIBE_MS, () =>
        client.workflow.getHandle(workflowId).describe(),
      );
      const { type: kind } = description;
      return { running: isOpen(description), operation: operationOf(description), kind };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  };
}
