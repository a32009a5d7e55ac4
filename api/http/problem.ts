import { z } from '@hono/zod-openapi';

/** One code per cause that a caller may want to tell apart; the HTTP status follows from it. */
export const PROBLEMS = {
  invalid_body: [400, 'The body cannot be read'],
  unauthorized: [401, 'Login required'],
  forbidden: [403, 'Not with this key'],
  cross_site: [403, 'Cross-site requests change nothing'],
  prefetch: [403, 'Prefetching changes nothing'],
  address_not_allowed: [403, 'Not from this address'],
  update_refused: [403, 'No update for this client'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  busy: [409, 'Another operation is running on the subject'],
  subdomain_taken: [409, 'The subdomain is taken'],
  host_taken: [409, 'A server with this host exists'],
  name_taken: [409, 'The name is taken'],
  in_use: [409, 'Clients live there'],
  nothing_left: [409, 'Nothing is left over'],
  version_exists: [409, 'The version is on the server already'],
  needs_cleanup: [409, 'An earlier operation left things behind'],
  wrong_status: [409, 'The client is not in a state for this'],
  operation_ended: [409, 'The operation has ended'],
  not_holding: [409, 'The operation waits for nobody'],
  check_failed: [409, 'A check of the plan failed'],
  past_commit: [409, 'The operation can only go forward'],
  decision_ignored: [409, 'The operation did not take the decision'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body has an unsupported type'],
  invalid_input: [422, 'The input is not valid'],
  check_refused: [422, 'A check of the plan refuses the input'],
  cannot_reboot: [422, 'The server may not be rebooted'],
  idempotency_key_reused: [422, 'The Idempotency-Key was used with another body'],
  too_many_requests: [429, 'Too many requests'],
  internal: [500, 'Internal error'],
  probe_failed: [502, 'The host did not answer as hoped'],
  temporal_unavailable: [503, 'Temporal is not reachable'],
  database_unavailable: [503, 'The database is not reachable'],
  worker_unavailable: [503, 'No worker answers'],
  start_unconfirmed: [503, 'Whether the operation has started is not known yet'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

export interface FieldError {
  field: string;
  message: string;
}

interface ProblemOptions {
  detail?: string;
  errors?: FieldError[];
  /** extension members of RFC 9457, such as `operation` */
  members?: Record<string, unknown>;
  headers?: Record<string, string>;
  cause?: unknown;
}

/** A class only because what is thrown must be told apart from bugs. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(options.detail ?? PROBLEMS[code][1], { cause: options.cause });
    this.name = 'Problem';
    this.code = code;
    this.options = options;
  }
}

/** The answer's body by RFC 9457; `type` is a relative reference into the API's page. */
export function problemBody({
  problem,
  path,
  requestId,
}: {
  problem: Problem;
  path: string;
  requestId: string;
}) {
  const { code, options } = problem;
  const [status, title] = PROBLEMS[code];
  return {
    type: `/docs#problem-${code}`,
    title,
    status,
    detail: options.detail ?? title,
    instance: path,
    code,
    requestId,
    ...(options.errors === undefined ? {} : { errors: options.errors }),
    ...options.members,
  };
}

export const OperationRef = z
  .object({
    id: z.string().openapi({ description: 'Operation id (a ULID)', example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1' }),
    kind: z.string().openapi({ description: 'What the operation does', example: 'create_client' }),
    state: z.string().openapi({ description: 'State as recorded last', example: 'running' }),
    href: z
      .string()
      .openapi({ description: 'Where to read it', example: '/operations/01K4Q2V7T3W9Z8X6C5B4N3M2A1' }),
  })
  .openapi('OperationRef', { description: 'A running or ended operation' });

export const ProblemSchema = z
  .object({
    type: z
      .string()
      .openapi({ description: 'Reference of the problem type', example: '/docs#problem-invalid_input' }),
    title: z.string().openapi({
      description: 'The same for every problem of this code',
      example: PROBLEMS.invalid_input[1],
    }),
    status: z.number().int().openapi({ description: 'HTTP status', example: 422 }),
    detail: z
      .string()
      .openapi({ description: 'What is wrong with this request', example: '1 field is not valid' }),
    instance: z.string().openapi({ description: 'Path of the request', example: '/clients' }),
    code: z
      .enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]])
      .openapi({ description: 'Stable name of the cause', example: 'invalid_input' }),
    requestId: z.string().openapi({
      description: 'As in X-Request-Id; the log has the cause under it',
      example: '6b0c8a1e-7f57-4c32-9f55-3a1f4b6a1f10',
    }),
    errors: z
      .array(
        z.object({
          field: z.string().openapi({ description: 'Name of the field', example: 'subdomain' }),
          message: z.string().openapi({ description: 'What it must be', example: 'is required' }),
        }),
      )
      .optional()
      .openapi({ description: 'With invalid input: every field that is not valid' }),
    operation: OperationRef.optional().openapi({ description: 'With busy: the operation that runs' }),
    kind: z
      .string()
      .optional()
      .openapi({ description: 'With a check or probe: failure kind', example: 'Conflict' }),
    step: z
      .string()
      .optional()
      .openapi({ description: 'With a check: name of its step', example: 'check-host' }),
    hint: z.string().optional().openapi({
      description: 'With a check: what a person can do',
      example: 'free some disk space',
    }),
  })
  .openapi('Problem', { description: 'Problem details by RFC 9457' });
