import { ActivityFailure, CancellationScope, log } from '@temporalio/workflow';
import { activitiesOf } from './acts.js';
import type { AdmissionAnswer, AdmissionNeed, WaitActivities } from '../contract/operation/admission.js';
import type { OperationLimits, OperationRequest } from '../contract/operation/operation.js';
import { type FailureKind, failure } from '../contract/operation/failures.js';
import { stepErrorOf } from './step-failure.js';
import { CLAIM_TIMING } from './timing.js';
import { waits, type Waiter, whileShown } from './waits.js';

/** Plain JSON, for the next run of a chain. */
export interface AdmissionState {
  /** counts the times that it is asked for; 1 is the claim's */
  taking: number;
  admitted: boolean;
  /** whether it has ever been: before, nothing has touched the servers */
  everAdmitted: boolean;
}

/** The servers that an operation works on, as far as its workflow knows; without a need all of it does nothing. */
export interface Admission {
  readonly need: AdmissionNeed | undefined;
  readonly state: AdmissionState;
  /** what the claim got */
  claimed(answer: AdmissionAnswer | undefined): void;
  /** Before any step, and again after a hold. Throws `Conflict` naming the holders when it is not to be had within the wait for servers. */
  take(): Promise<void>;
  /** Before undos; there is no other way out, so that this waits without a bound. */
  takeForUndo(): Promise<void>;
  /** it was never admitted anywhere: nothing of it is on a server */
  touchedNothing(): boolean;
  /** For a hold of this kind; the record of the hold carries it out. */
  giveBack(kind: FailureKind): void;
}

/**
 * With these a command has answered, so that nothing of it runs on a server any more. With any other kind a detached
 * job may still run there: its operation keeps the admission while it holds.
 */
const ANSWERED: readonly FailureKind[] = [
  'InvalidInput',
  'NotFound',
  'Conflict',
  'CommandFailed',
  'CapacityExceeded',
  'RateLimited',
];

/** The operation that asks. */
interface Asking extends Waiter {
  readonly request: OperationRequest;
  limits: OperationLimits;
}

export function createAdmission(
  run: Asking,
  need: AdmissionNeed | undefined,
  state: AdmissionState = { taking: 1, admitted: false, everAdmitted: false },
): Admission {
  /** the claim's refusal: its place in the line is ours */
  let refused: AdmissionAnswer | undefined;

  function settle(admitted: boolean): void {
    state.admitted = admitted;
    state.everAdmitted ||= admitted;
  }

  async function ask(wanted: AdmissionNeed, waitMs: number | null): Promise<void> {
    const { id: operation, root = operation } = run.request;
    const request = { ...wanted, operation, root, taking: state.taking };
    const { takeAdmission } = activitiesOf<WaitActivities>('operation', CLAIM_TIMING);
    const answer = refused ?? (await takeAdmission(request));
    refused = undefined;
    if (!answer.admitted) {
      await whileShown(run, answer.waitingFor, () => waits().awaitAdmission({ ...request, waitMs }));
    }
    settle(true);
  }

  return {
    need,
    state,
    claimed(answer) {
      if (answer?.admitted === true) settle(true);
      else refused = answer;
    },
    async take() {
      if (need === undefined || state.admitted) return;
      await ask(need, run.limits.gateWaitMs).catch((thrown: unknown) => {
        const { kind, message, hint } = stepErrorOf(thrown);
        throw failure(kind, message, hint === undefined ? {} : { hint });
      });
    },
    async takeForUndo() {
      if (need === undefined || state.admitted || !state.everAdmitted) return;
      await CancellationScope.nonCancellable(() => ask(need, null)).catch((thrown: unknown) => {
        if (!(thrown instanceof ActivityFailure)) throw thrown;
        log.warn('undoing without admission: it was refused for good');
      });
    },
    touchedNothing: () => need !== undefined && !state.everAdmitted,
    giveBack(kind) {
      if (need === undefined || !ANSWERED.includes(kind)) return;
      state.taking += 1;
      state.admitted = false;
    },
  };
}
