/** What an operation needs of its places, such as `server:3`: to work there beside others, or alone. */
export interface AdmissionNeed {
  places: string[];
  /** bars new holders, and waits until the present ones are gone */
  exclusive?: true;
}

export interface AdmissionRequest extends AdmissionNeed {
  operation: string;
  /** operations of one root do not keep each other out */
  root: string;
  /** 1, 2, … over the times that the operation takes it: what speaks of an earlier one is late and changes nothing */
  taking: number;
}

/** `waitingFor`: `server:3 (prune)`. */
export type AdmissionAnswer = { admitted: true } | { admitted: false; waitingFor: string };

export interface SubjectWait {
  subject: string;
  /** milliseconds, 0 = only look, null = without a bound */
  waitMs: number | null;
  /** ISO time from which `waitMs` counts; absent: since the activity was scheduled */
  since?: string;
  /** wait only until this operation has left it */
  operation?: string;
}

/** `holder`: `delete_client 01J…`. */
export type SubjectAnswer = { free: true } | { free: false; holder: string };

/** Taking turns with other operations; none of it is a step. */
export interface WaitActivities {
  /** Asks for all places at once and stands in line where that is refused. */
  takeAdmission(request: AdmissionRequest): Promise<AdmissionAnswer>;
  /** `Conflict` naming the holders once the request is older than `waitMs`; null: waits without a bound. */
  awaitAdmission(request: AdmissionRequest & { waitMs: number | null }): Promise<void>;
  /** Waits until no operation holds the subject. */
  awaitSubject(wait: SubjectWait): Promise<SubjectAnswer>;
}

/** What only waits has a task queue of its own, so that it never takes the place of what it waits for. */
export function waitsQueue(taskQueue: string): string {
  return `${taskQueue}-waits`;
}
