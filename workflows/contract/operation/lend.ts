/** To the borrower, once the subject is claimed for it. */
export const LENT_SIGNAL = 'lent';
/** To the lend, which ends on it. */
export const RELEASE_SIGNAL = 'release';

export interface LendParams {
  subject: string;
  borrower: { workflowId: string; operation: string };
}

export interface Lent {
  operation: string;
}
