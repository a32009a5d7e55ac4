import { z } from '@hono/zod-openapi';
import { freeText, line, oneOf } from '../http/fields.js';
import { OperationRef } from '../http/problem.js';
import { orNull } from '../http/pages.js';
import { DecisionSchema, operationId, OperationFilter } from './schemas.js';

/** 1000: what the workflow takes of a text in a signal. */
const note = freeText(1000).openapi({ description: 'Why; goes into the history', example: 'disk freed' });

export const DecisionInput = z
  .object({
    note: note.optional(),
    input: z
      .preprocess(
        readJson,
        z
          .record(z.string().max(100), z.union([line({ max: 4000 }), z.number(), z.boolean(), z.null()]))
          .optional(),
      )
      .openapi({
        type: 'object',
        description:
          'With retry: changed fields, only those that the hold names as editable; in forms a text that holds a JSON object',
        example: {},
      }),
  })
  .openapi('DecisionInput');

export const SkipInput = z
  .object({ note: note.min(1, 'is required: say why it can be skipped') })
  .openapi('SkipInput');
export const NoteInput = z.object({ note: note.optional() }).openapi('NoteInput');

function readJson(value: unknown): unknown {
  if (value === '') return undefined;
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

export const DecisionAnswerSchema = z
  .object({
    decision: orNull(DecisionSchema).openapi({
      description: 'As recorded; null while it is on its way, and for a cancel',
    }),
    operation: OperationRef,
  })
  .openapi('DecisionAnswer');

export const BULK_ACTIONS = ['retry', 'skip', 'rollback', 'cancel', 'cleanup'] as const;
/** One call ends within the minute that proxies give it, also when every decision is waited for. */
export const BULK_MAX = 200;

export const BulkInput = z
  .object({
    action: oneOf(BULK_ACTIONS).openapi({ description: 'What is decided for each', example: 'retry' }),
    ids: z
      .preprocess(
        readJson,
        z
          .array(operationId(), 'must be a list of operation ids')
          .min(1, 'must not be empty')
          .max(BULK_MAX, `must have at most ${BULK_MAX} entries`)
          .optional(),
      )
      .openapi({
        type: 'array',
        items: { type: 'string' },
        description: 'These; in forms a text that holds a JSON array',
        example: ['01K4Q2V7T3W9Z8X6C5B4N3M2A1'],
      }),
    filter: z
      .preprocess(
        readJson,
        z
          .strictObject(OperationFilter.shape, 'must be an object')
          .refine((filter) => FILTERS.some((name) => filter[name] !== undefined), 'must narrow by something')
          .optional(),
      )
      .openapi({
        type: 'object',
        description: `Or, newest first, ${BULK_MAX} of those that the list finds and, without \`state\`, that have not ended
(to clean up: that ended \`rollback_incomplete\` or \`terminated\`): by \`subject\`,
\`kind\`, \`state\`, \`server\`, \`client\`, and the \`cursor\` of the answer before; in forms a text that holds a JSON object`,
        example: { state: 'holding', server: 3 },
      }),
    note: note.optional(),
  })
  .refine(({ ids, filter }) => (ids === undefined) !== (filter === undefined), {
    path: ['ids'],
    message: 'give either ids or filter',
  })
  .refine(({ action, note: why }) => action !== 'skip' || (why ?? '') !== '', {
    path: ['note'],
    message: 'is required: say why it can be skipped',
  })
  .openapi('BulkInput');

const FILTERS = ['subject', 'kind', 'state', 'server', 'client'] as const;

export const BulkAnswerSchema = z
  .object({
    results: z
      .array(
        z
          .object({
            id: z.string().openapi({ description: 'Operation id', example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1' }),
            subject: z.string().openapi({ description: 'What it acts on', example: 'client:42' }),
            outcome: z.enum(['accepted', 'pending', 'refused']).openapi({
              description: '`pending`: sent, not yet taken',
              example: 'accepted',
            }),
            code: z
              .string()
              .optional()
              .openapi({ description: 'With refused: the code of the problem', example: 'not_holding' }),
            detail: z
              .string()
              .optional()
              .openapi({ description: 'With refused: why', example: 'The operation waits for nobody' }),
            operation: OperationRef.optional(),
          })
          .openapi('BulkResult'),
      )
      .openapi({ description: 'One for each operation, in the order of `ids`, or newest first' }),
    cursor: z
      .string()
      .nullable()
      .openapi({ description: 'With a filter that finds more: for the next call', example: null }),
  })
  .openapi('BulkAnswer');
