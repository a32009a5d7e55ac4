import { capText, type FailureKind, failure } from '../../workflows/contract/operation/failures.js';
import { classifyExit } from '../ssh/errors.js';

/** What git 2.30 to 2.50 and the SSH client under it say; the first match decides. */
const SAYINGS: [RegExp, FailureKind, string?][] = [
  [
    /permission denied \((?:publickey|password)|authentication failed|could not read (?:username|password)|terminal prompts disabled|host key verification failed/i,
    'Unauthorized',
    "give the server's SSH user access to the repository (a deploy key, known_hosts), then retry",
  ],
  [
    /could not resolve host(?:name)?|connection (?:refused|reset|timed out|closed)|operation timed out|early eof|the remote end hung up|rpc failed|requested url returned error: (?:429|5\d\d)|network is unreachable|no route to host/i,
    'Unavailable',
  ],
  [
    /couldn't find remote ref|remote branch .* not found/i,
    'CommandFailed',
    'the branch is not in the repository: push it, or correct "branches" of the product profile, then retry',
  ],
  [
    /does not appear to be a git repository|repository .* (?:not found|does not exist)/i,
    'CommandFailed',
    'correct "repository" of the product profile, then retry',
  ],
  [
    /index\.lock|another git process seems to be running/i,
    'CommandFailed',
    'somebody works in that tree, or has left a lock there: look, remove the lock, then retry',
  ],
];

/** Failure for a script of git commands: `what` says which, on which server; `output` is what it said last. */
export function gitFailure({ what, exitCode, output }: { what: string; exitCode: number; output: string }) {
  const saying = SAYINGS.find(([pattern]) => pattern.test(output));
  if (saying === undefined) return classifyExit({ command: what, exitCode, stderr: output });
  const [, kind, hint] = saying;
  // 700 bytes leave room for the words around it
  return failure(kind, `${what}: ${capText(output.trim(), 700)}`, hint === undefined ? {} : { hint });
}
