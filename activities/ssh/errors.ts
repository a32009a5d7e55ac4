import { ApplicationFailure } from '@temporalio/common';
import { capText, failure } from '../../workflows/contract/operation/failures.js';

/** What ssh2 and sockets put on their errors, beside the message. */
interface TransportError extends Error {
  level?: string;
  code?: string | number;
}

/** Leaves room in a failure's 1 KiB for the words around it. */
const QUOTED_BYTES = 600;

const DISK_FULL = /no space left on device|disk quota exceeded|\bENOSPC\b|\bEDQUOT\b/i;

const UNREACHABLE_HINTS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there: is sshd running, is the port right?',
  ENOTFOUND: 'the host name is not known to the resolver',
  EAI_AGAIN: 'the resolver did not answer',
  EHOSTUNREACH: 'there is no route to the host',
  ENETUNREACH: 'there is no route to the host',
  ETIMEDOUT: 'the host does not answer: is it up, does a firewall drop the port?',
};

/**
 * The one mapper of transport errors: a refused key is `Unauthorized`, whatever ssh2 or the socket says otherwise is
 * `Unavailable`; failures and errors of other origin (bugs) stay as they are.
 */
export function mapSshError(error: unknown, where: string): unknown {
  if (error instanceof ApplicationFailure || !(error instanceof Error)) return error;
  const { level, code, message } = error as TransportError;
  if (level === 'client-authentication') {
    return failure('Unauthorized', `${where} refuses the key`, {
      hint: "add Slipway's public key to the user's authorized_keys and retry",
    });
  }
  if (!isTransport(error)) return error;
  const hint =
    UNREACHABLE_HINTS[String(code)] ??
    (level === 'client-timeout' ? UNREACHABLE_HINTS['ETIMEDOUT'] : undefined);
  return failure(
    'Unavailable',
    `${where}: ${capText(message || String(code), QUOTED_BYTES)}`,
    hint ? { hint } : {},
  );
}

const TRANSPORT_MESSAGES =
  /^(\(SSH\) )?(channel open failure|not connected|no response from server|connection lost|keepalive timeout|timed out while waiting for handshake|unable to exec|unexpected packet before open)/i;

function isTransport({ level, code, message }: TransportError): boolean {
  if (level !== undefined) return true;
  return (
    (typeof code === 'string' && /^E[A-Z]/.test(code) && !code.startsWith('ERR_')) ||
    TRANSPORT_MESSAGES.test(message)
  );
}

/** sshd had no session to give: nothing ran, so it may be asked again. */
export function isChannelRefusal(error: unknown): boolean {
  return error instanceof Error && /channel open failure/i.test(error.message);
}

/** The connection was dropped before it said anything, as sshd does beyond MaxStartups. */
export function isDroppedHandshake(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    (error as TransportError).code === 'ECONNRESET' || /connection lost before handshake/i.test(error.message)
  );
}

/** `HostKeyMismatch`, with both fingerprints, for a person to compare. */
export function hostKeyMismatch(where: string, expected: string | null, seen: string) {
  const pinned = expected === null ? 'no host key is pinned' : `expected host key ${expected}`;
  return failure('HostKeyMismatch', `${where}: ${pinned}, seen ${seen}`, {
    hint: 'compare with the host itself (ssh-keygen -lf); pin the new key only when it is its own',
  });
}

/**
 * Failure for a command that exited with another code than 0: `CapacityExceeded` when its output says that a disk or
 * quota is full, else `CommandFailed`. `command` names it with its target; `stderr` may be a job's tail.
 */
export function classifyExit({
  command,
  exitCode,
  stderr,
}: {
  command: string;
  exitCode: number;
  stderr: string;
}) {
  const full = stderr.split('\n').find((line) => DISK_FULL.test(line));
  if (full === undefined) {
    const said = capText(stderr.trim(), QUOTED_BYTES);
    const message = `${command} ended with exit code ${exitCode}${said === '' ? '' : `: ${said}`}`;
    return failure('CommandFailed', message);
  }
  // which line of which script it was tells an operator nothing
  const cause = capText(full.trim().replace(/^[^\s:]+: line \d+: /, ''), QUOTED_BYTES);
  return failure('CapacityExceeded', `${command}: the disk is full (${cause})`, {
    hint: 'free space on the disk of the host (or raise the quota), then retry',
  });
}
