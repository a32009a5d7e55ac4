import { type Rehearsal, REHEARSALS } from '../../workflows/contract/clients/rehearsal.js';
import { oneOf, optional } from '../http/fields.js';

/** How much of a change of version is tried on a copy first. */
export const rehearse = () =>
  optional(oneOf(REHEARSALS)).openapi({
    description:
      'What is tried on a copy of the data first, while the client serves: `migrate` restores it and runs the migrations there, `restore` only restores it. By default as the server says',
    example: 'migrate',
  });

/** For an operation's parameters, which lack what nobody has said. */
export function rehearsalOf({ rehearse: wanted }: { rehearse?: Rehearsal | undefined }): {
  rehearse?: Rehearsal;
} {
  return wanted === undefined ? {} : { rehearse: wanted };
}
