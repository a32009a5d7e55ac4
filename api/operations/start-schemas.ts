import { z } from '@hono/zod-openapi';
import { PLANNED_KINDS } from '../../workflows/contract/operation/plan.js';
import { OperationRef } from '../http/problem.js';
import { json } from '../http/answers.js';
import { StartedSchema } from './schemas.js';
import { StartHeaders } from '../http/pages.js';

const PlannedStepSchema = z
  .object({
    key: z.string().openapi({ description: "Name of the operation's step", example: 'database' }),
    title: z.string().openapi({ description: 'Title', example: 'Create database and user' }),
    kind: z.enum(PLANNED_KINDS).openapi({
      description:
        '`check`: changes nothing, and has been done for this plan; `enter`, `leave`: around what is done in a dangerous state; `commit`: the point of no return, itself no step; `child`: an operation of its own; `borrow`: another subject is taken',
      example: 'step',
    }),
    target: z.string().openapi({ description: 'What it acts on', example: 'client42' }),
    found: z.string().optional().openapi({
      description: 'What a check has found, where that decides what comes next',
      example: 'migrate: there is room for it',
    }),
    undo: z.string().optional().openapi({
      description: 'The activity that takes it back when the operation fails; absent: nothing does',
      example: 'removeDatabase',
    }),
    skippable: z
      .literal(true)
      .optional()
      .openapi({ description: 'A person may go on without it', example: true }),
    onFail: z.enum(['warn', 'rollback']).optional().openapi({
      description: '`warn`: its failure becomes a warning; `rollback`: it is never held for a person',
      example: 'warn',
    }),
  })
  .openapi('PlannedStep');

const PlanSchema = z
  .object({
    plan: z.object({
      kind: z.string().openapi({ description: 'Kind of the operation', example: 'create_client' }),
      subject: z.string().openapi({
        description: 'What it would act on; the id of a new thing is only reserved by a start',
        example: 'client:42',
      }),
      title: z.string().openapi({ description: 'Title', example: 'Create client 42' }),
      steps: z.array(PlannedStepSchema).openapi({ description: 'What would be done, in this order' }),
      busy: OperationRef.optional().openapi({
        description:
          'Nothing can be started now: the operation that runs on the subject, or that an equal request has started',
      }),
    }),
  })
  .openapi('Plan');

export const StartedOrPlan = z.union([StartedSchema, PlanSchema]);

/** What every route that starts an operation answers. */
export const started = {
  200: json(
    'The operation that an equal request has started; with `plan`, what would be done',
    StartedOrPlan,
  ),
  202: json('Started; poll the operation, or `createlog` of a create', StartedSchema),
};

/** What every route that starts an operation has in common, beside what it may refuse with. */
export const starting = {
  headers: StartHeaders,
  scope: 'operate',
  changes: true,
  responses: started,
} as const;

/** What every route that starts an operation may refuse with. */
export const STARTS = [
  'busy',
  'needs_cleanup',
  'idempotency_key_reused',
  'check_refused',
  'check_failed',
  'temporal_unavailable',
  'start_unconfirmed',
  'worker_unavailable',
] as const;
