/** Subject ids are workflow ids, so Temporal itself keeps at most one operation per subject. */
export type SubjectKind = 'client' | 'server' | 'app' | 'environment' | 'database' | 'middleware' | 'fleet';

export function subjectId(kind: SubjectKind, id: string | number): string {
  return `${kind}:${id}`;
}

/** Name of a client in paths, Compose projects, databases, users and vhosts. */
export function clientName(id: number): string {
  return `client${id}`;
}

/** What marks a thing on a host as made by an operation; undo removes only what bears its own. */
export function mark(operation: string): string {
  return `slipway:${operation}`;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A ULID from a time and a source of numbers in [0, 1); both are deterministic inside workflow code. */
export function makeOperationId(timeMs: number, random: () => number): string {
  let time = timeMs;
  const head: string[] = [];
  for (let i = 0; i < 10; i += 1) {
    head.unshift(CROCKFORD.charAt(time % 32));
    time = Math.floor(time / 32);
  }
  const tail = Array.from({ length: 16 }, () => CROCKFORD.charAt(Math.floor(random() * 32)));
  return head.join('') + tail.join('');
}

export const OPERATION_ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
