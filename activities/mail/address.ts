/**
 * A mailbox as people write it on a form: no quoted parts, comments, groups or display names, ASCII only. Stricter
 * than RFC 5321 on purpose: what a mail library makes of the rest differs from version to version.
 */
export function isMailAddress(text: string): boolean {
  return text.length <= ADDRESS_LIMIT && ADDRESS.test(text) && text.indexOf('@') <= LOCAL_LIMIT;
}

/** RFC 5321 4.5.3.1: 64 octets before the `@`, and a path of 256 with its angle brackets. */
const LOCAL_LIMIT = 64;
const ADDRESS_LIMIT = 254;

const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const ADDRESS = new RegExp(`^${ATOM}(?:\\.${ATOM})*@${LABEL}(?:\\.${LABEL})+$`);
