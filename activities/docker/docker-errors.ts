import { capText, type FailureKind, failure } from '../../workflows/contract/operation/failures.js';
import { classifyExit } from '../ssh/errors.js';

/** What Docker 20 to 28 and both generations of Compose say; the first match decides. */
const SAYINGS: [RegExp, FailureKind, string?][] = [
  [/cannot connect to the docker daemon|error during connect|is the docker daemon running/i, 'Unavailable'],
  [/dial unix [^\s]*docker\.sock: connect: (?:connection refused|no such file)/i, 'Unavailable'],
  [
    /permission denied while trying to connect to the docker (?:daemon|api)|sudo: a password is required/i,
    'Unauthorized',
    'put the SSH user into the group docker, or allow it docker through sudo without a password',
  ],
  [/toomanyrequests|rate limit/i, 'RateLimited'],
  // a registry that base images are pulled from, never a product's own words
  [/get "https?:\/\/[^"]*\/v2\/[^"]*": |received unexpected http status: 5\d\d/i, 'Unavailable'],
  // what somebody else's build or prune removed was a layer of this one
  [/failed to get digest sha256:\w+: .*no such file or directory/i, 'Unavailable'],
  [
    /port is already allocated|address already in use/i,
    'Conflict',
    'free the port, or create or move the client again, which takes another one',
  ],
  [/pool overlaps with other one|networks? (?:have|has) overlapping/i, 'Conflict'],
  [/(?:container )?name "[^"]*" is already in use/i, 'Conflict'],
  [
    /no such image|pull access denied|manifest unknown|unable to find image|repository does not exist/i,
    'CommandFailed',
    'the image has been removed from the server: build it again, then retry',
  ],
];

/** Failure for a Docker or Compose command: `what` says which, on which host; `output` is what it said last. */
export function dockerFailure({
  what,
  exitCode,
  output,
}: {
  what: string;
  exitCode: number;
  output: string;
}) {
  const saying = SAYINGS.find(([pattern]) => pattern.test(output));
  if (saying === undefined) return classifyExit({ command: what, exitCode, stderr: output });
  const [, kind, hint] = saying;
  // 700 bytes leave room for the words around it
  return failure(kind, `${what}: ${capText(output.trim(), 700)}`, hint === undefined ? {} : { hint });
}
