import { z } from '@hono/zod-openapi';
import { OPERATION_ID } from '../../workflows/contract/operation/ids.js';
import { END_STATES, LIVE_STATES, STEP_STATES } from '../../workflows/contract/operation/operation.js';
import { line, optional, pattern, rowId } from '../http/fields.js';
import { OperationRef } from '../http/problem.js';
import { orNull } from '../http/pages.js';

export const OPERATION_STATES = [...LIVE_STATES, ...END_STATES] as const;

export const operationId = () =>
  pattern(OPERATION_ID, 26, 'must be an operation id').openapi({
    description: 'Operation id',
    example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1',
  });

export const OperationParams = z.object({ id: operationId().openapi({ param: { name: 'id', in: 'path' } }) });

export const OperationFilter = z.object({
  subject: optional(line({ max: 200 })).openapi({
    description: 'Only of this subject',
    example: 'client:42',
  }),
  kind: optional(pattern(/^[a-z][a-z0-9_]{0,63}$/, 64, 'must be a kind such as create_client')).openapi({
    description: 'Only of this kind',
    example: 'create_client',
  }),
  state: optional(
    z
      .string()
      .max(200)
      .refine(isStates, `must be states, separated by commas, of ${OPERATION_STATES.join(', ')}`),
  ).openapi({
    type: 'string',
    description: 'Only in one of these states, separated by commas',
    example: 'running,holding',
  }),
  server: optional(rowId()).openapi({ description: 'Only on this server', example: 3 }),
  client: optional(rowId()).openapi({ description: 'Only of this client', example: 42 }),
  parent: optional(operationId()).openapi({
    description: 'Only children of this operation',
    example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1',
  }),
  cursor: optional(operationId()).openapi({
    description: 'From the page before',
    example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1',
  }),
});

function isStates(value: string): boolean {
  return value.split(',').every((state) => (OPERATION_STATES as readonly string[]).includes(state));
}

const when = (description: string) =>
  z.string().openapi({ format: 'date-time', description, example: '2031-01-31T12:00:00.000Z' });

export const StartedSchema = z
  .object({
    id: z
      .union([z.number().int(), z.string()])
      .openapi({ description: 'Id of what it is about, such as the client', example: 42 }),
    operation: OperationRef,
  })
  .openapi('Started');

const StepError = z
  .object({
    kind: z.string().openapi({ description: 'Failure kind', example: 'CommandFailed' }),
    message: z.string().openapi({
      description: 'What failed, on which target',
      example: 'docker compose up exited with 1 on web-3',
    }),
    hint: z
      .string()
      .optional()
      .openapi({ description: 'What a person can do', example: 'free some disk space' }),
  })
  .openapi('StepError');

const Step = z
  .object({
    key: z.string().openapi({ description: 'Name of the step', example: 'database' }),
    title: z.string().openapi({ description: 'Title', example: 'Create database and user' }),
    state: z.enum(STEP_STATES).openapi({ description: 'State', example: 'done' }),
    attempt: z.number().int().openapi({ description: 'Attempts so far', example: 1 }),
    startedAt: when('When it began').nullable(),
    endedAt: when('When it ended').nullable(),
    summary: z.string().optional().openapi({ description: 'What it said', example: 'client42' }),
    error: StepError.optional().openapi({ description: 'Its last failure' }),
  })
  .openapi('Step');

const Hold = z
  .object({
    number: z.number().int().openapi({ description: 'Which hold of this operation', example: 1 }),
    step: z.string().openapi({ description: 'Step that failed', example: 'container' }),
    until: when('Then it is rolled back').nullable(),
    actions: z
      .array(z.enum(['retry', 'skip', 'rollback']))
      .openapi({ description: 'What can be decided', example: ['retry', 'rollback'] }),
    editable: z
      .array(z.string())
      .optional()
      .openapi({ description: 'Fields that a retry may change', example: ['version_tag'] }),
    error: StepError,
  })
  .openapi('Hold');

export const DecisionSchema = z
  .object({
    action: z
      .enum(['retry', 'skip', 'rollback', 'cancel'])
      .openapi({ description: 'Decision', example: 'retry' }),
    time: when('When it arrived'),
    actor: z.string().openapi({ description: 'Who decided', example: 'admin:admin' }),
    note: z.string().optional().openapi({ description: 'Why', example: 'disk freed' }),
    accepted: z.boolean().openapi({ description: 'Whether it had an effect', example: true }),
    ignored: z
      .string()
      .optional()
      .openapi({ description: 'Why it had none', example: 'meant for another hold' }),
    id: z
      .string()
      .optional()
      .openapi({ description: 'Id of the decision', example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1' }),
    hold: z.number().int().optional().openapi({ description: 'Hold that it was for', example: 1 }),
  })
  .openapi('Decision');

const common = {
  id: z.string().openapi({ description: 'Operation id', example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1' }),
  kind: z.string().openapi({ description: 'What it does', example: 'create_client' }),
  subject: z.string().openapi({ description: 'What it acts on; also the workflow id', example: 'client:42' }),
  state: z.enum(OPERATION_STATES).openapi({ description: 'State', example: 'running' }),
  title: z.string().openapi({ description: 'Title', example: 'Create client 42' }),
  actor: z.string().openapi({ description: 'Who started it', example: 'admin:admin' }),
  requestId: z
    .string()
    .nullable()
    .openapi({ description: 'Request that started it', example: '6b0c8a1e-7f57-4c32-9f55-3a1f4b6a1f10' }),
  startedAt: when('When it was started'),
  endedAt: when('When it ended').nullable(),
};

export const OperationSchema = z
  .object({
    ...common,
    steps: z.array(Step).openapi({ description: 'Steps so far, in order' }),
    hold: orNull(Hold).openapi({ description: 'What it waits for a person with' }),
    warnings: z
      .array(
        z.object({
          step: z.string().openapi({ description: 'Step', example: 'mail' }),
          message: z.string().openapi({ description: 'What went wrong', example: 'the mail server refused' }),
        }),
      )
      .openapi({ description: 'What went wrong without mattering' }),
    leftovers: z
      .array(
        z.object({
          step: z.string().openapi({ description: 'Step that made it', example: 'database' }),
          what: z.string().openapi({ description: 'What is left', example: 'Create database and user' }),
          remedy: z.string().openapi({ description: 'What would remove it', example: 'removeDatabase' }),
          error: z.string().openapi({ description: 'Why it is still there', example: 'connection refused' }),
        }),
      )
      .openapi({ description: 'What could not be undone' }),
    decisions: z.array(DecisionSchema).openapi({ description: 'What was decided, in order' }),
    result: z.unknown().openapi({ description: 'What it answered', example: null }),
    error: orNull(StepError).openapi({ description: 'Why it failed' }),
    source: z
      .enum(['live', 'projection'])
      .openapi({ description: 'Asked just now, or as recorded last', example: 'live' }),
    stuck: z.boolean().optional().openapi({ description: 'Its code fails repeatedly: a bug', example: true }),
    waitingFor: z.string().optional().openapi({ description: 'What it waits for', example: 'server:3' }),
    links: z.record(z.string(), z.string()).openapi({
      description: 'Related resources',
      example: { self: '/operations/01K4Q2V7T3W9Z8X6C5B4N3M2A1' },
    }),
  })
  .openapi('Operation');

export const OperationListSchema = z
  .object({
    data: z
      .array(
        z
          .object({
            ...common,
            failedStep: z.string().nullable().openapi({ description: 'Step that failed', example: null }),
            stuck: z
              .boolean()
              .optional()
              .openapi({ description: 'Its code fails repeatedly: a bug', example: true }),
            href: z.string().openapi({
              description: 'Where to read it',
              example: '/operations/01K4Q2V7T3W9Z8X6C5B4N3M2A1',
            }),
          })
          .openapi('OperationEntry'),
      )
      .openapi({ description: 'Newest first' }),
    cursor: z
      .string()
      .nullable()
      .openapi({ description: 'For the next page; null at the end', example: null }),
  })
  .openapi('OperationList');

export const StepOutputSchema = z
  .object({
    step: z.string().openapi({ description: 'Key of the step', example: 'image' }),
    text: z.string().openapi({ description: 'Its output from `after` on', example: 'Step 1/9 : FROM php\n' }),
    cursor: z.number().int().openapi({ description: '`after` of the next page, in bytes', example: 262144 }),
    complete: z
      .boolean()
      .openapi({ description: 'Nothing more comes, unless the step is done once more', example: false }),
  })
  .openapi('StepOutput');
