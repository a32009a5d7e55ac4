import type { CleanupParams } from './cleanup.js';
import { defineKinds } from './definition.js';
import { failure } from './failures.js';
import type { LendParams } from './lend.js';

/** Room for every kind of subject; the limit of workflow ids. */
const SUBJECT = /^[a-z]+:.{1,190}$/s;

/** Operations of the engine itself. */
export const ENGINE_KINDS = defineKinds({
  cleanup: {
    workflow: 'cleanup',
    cleaning: true,
    subject: ({ subject }: CleanupParams) => subject,
    title: ({ subject }: CleanupParams) => `Clean up ${subject}`,
    places: ({ places = [] }: CleanupParams) => places,
    admission: () => 'shared',
    validate({ subject, places = [] }: CleanupParams) {
      if (typeof subject !== 'string' || !SUBJECT.test(subject))
        throw failure('InvalidInput', '"subject" must be a subject such as client:42');
      if (
        !Array.isArray(places) ||
        !places.every((place) => typeof place === 'string' && SUBJECT.test(place))
      )
        throw failure('InvalidInput', '"places" must list places such as server:3');
    },
  },
  /** holds a borrowed subject; a child of its borrower */
  lend: {
    workflow: 'lend',
    subject: ({ subject }: LendParams) => subject,
    title: ({ subject }: LendParams) => `Lend ${subject}`,
    validate({ subject, borrower }: LendParams) {
      if (typeof subject === 'string' && typeof borrower?.workflowId === 'string') return;
      throw failure('InvalidInput', 'a lend needs a "subject" and its "borrower"');
    },
  },
});
