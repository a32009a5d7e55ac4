import { createHash } from 'node:crypto';
import { isGrpcDeadlineError, WorkflowFailedError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import {
  type ProbeInput,
  type ProbeKind,
  type ProbeResults,
  PROBE_WORKFLOW,
} from '../../workflows/contract/servers/probes.js';
import { isTemporalAway } from '../http/errors.js';
import { Problem } from '../http/problem.js';
import type { Temporal } from './temporal.js';

/** `docs/contract/servers.md`, Reading: awaited for 5 s; somewhat less, so that the whole answer comes within them. */
const AWAIT_MS = 4_600;
/** So that probes of a dead host never pile up. */
const EXECUTION_TIMEOUT = '8s';

export type Probes = ReturnType<typeof createProbes>;

/**
 * Asks a server something now. Equal questions at one time share one run; `distinct` (a keyed digest) tells those
 * apart that differ only in a secret. `Problem`: `probe_failed` with the cause,
 * `worker_unavailable` when nobody answers in time, `temporal_unavailable`.
 */
export function createProbes({ temporal }: { temporal: Temporal }) {
  return {
    async ask<Kind extends ProbeKind>(
      input: ProbeInput & { kind: Kind },
      distinct = '',
    ): Promise<ProbeResults[Kind]> {
      const until = Date.now() + AWAIT_MS;
      await temporal.requireReachable();
      const start = () =>
        temporal.client.workflow.start(PROBE_WORKFLOW, {
          workflowId: `probe:${input.kind}:${input.clientId ?? input.serverId ?? digestOf(input, distinct)}`,
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowExecutionTimeout: EXECUTION_TIMEOUT,
          taskQueue: temporal.taskQueue,
          args: [input],
        });
      try {
        const handle = await temporal.within(until - Date.now(), start);
        return (await temporal.within(until - Date.now(), () => handle.result())) as ProbeResults[Kind];
      } catch (error) {
        throw problemOfProbe(error);
      }
    },
  };
}

function digestOf({ target }: ProbeInput, distinct: string): string {
  // every try stores the password anew, so its id says nothing about the question
  const question = { ...target, sqlPassword: undefined };
  return createHash('sha256')
    .update(JSON.stringify([question, distinct]))
    .digest('hex')
    .slice(0, 32);
}

function problemOfProbe(error: unknown): Problem {
  if (error instanceof WorkflowFailedError) return problemOfFailure(error);
  if (isGrpcDeadlineError(error) || isTemporalAway(error)) {
    return new Problem('worker_unavailable', {
      detail: 'No answer within 5 s: no worker is running, or the host is slow',
      headers: { 'Retry-After': '5' },
      cause: error,
    });
  }
  throw error;
}

function problemOfFailure(error: WorkflowFailedError): Problem {
  const cause = error.cause instanceof ActivityFailure ? error.cause.cause : error.cause;
  if (cause instanceof ApplicationFailure && cause.type) {
    return new Problem('probe_failed', {
      detail: cause.message,
      members: { kind: cause.type },
      cause: error,
    });
  }
  return new Problem('worker_unavailable', {
    detail: 'The host was not read in time',
    headers: { 'Retry-After': '5' },
    cause: error,
  });
}
