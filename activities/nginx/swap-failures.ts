import { capText, failure } from '../../workflows/contract/operation/failures.js';
import { nameOf, type Server } from '../hosts/connections.js';
import { classifyExit } from '../ssh/errors.js';

/** Exit codes of the swap's scripts, away from those of shells (126 and up) and of sysexits (64 to 78). */
export const SWAP_EXITS = {
  neighbourBroken: 80,
  duplicateName: 81,
  foreignFile: 82,
  refused: 83,
  notReloaded: 84,
  notServing: 85,
  busy: 86,
} as const;

/** Leaves room in a failure's 1 KiB for the words around nginx's own. */
const QUOTED_BYTES = 600;

/** Nothing of the client's is wrong: some other file of the host's nginx is, and every reload would fail. */
export function brokenNeighbour(server: Server, words: string) {
  const said = capText(words.trim(), QUOTED_BYTES);
  return failure(
    'CommandFailed',
    `the configuration of a neighbour in nginx on ${nameOf(server)} is broken: ${said}`,
    {
      hint: 'mend or remove the file that nginx names (nginx -t shows it), then retry',
    },
  );
}

/** Failure for a swap's exit code; `stderr` holds nginx's words, or the file that serves the name already. */
export function swapFailure(
  result: { exitCode: number; stderr: string },
  { server, file }: { server: Server; file: string },
) {
  const words = capText(result.stderr.trim(), QUOTED_BYTES);
  const where = `${file} on ${nameOf(server)}`;
  switch (result.exitCode) {
    case SWAP_EXITS.neighbourBroken:
      return brokenNeighbour(server, result.stderr);
    case SWAP_EXITS.duplicateName:
      return failure('Conflict', `the server name of ${where} is already served by ${words}`);
    case SWAP_EXITS.foreignFile:
      return failure('Conflict', `${where} is already there and not ours`);
    case SWAP_EXITS.refused:
      return failure('CommandFailed', `nginx refuses ${where}, the former configuration is back: ${words}`);
    case SWAP_EXITS.notReloaded:
      return failure(
        'CommandFailed',
        `nginx was not reloaded for ${where}, the former file is back: ${words}`,
        {
          hint: 'is nginx running there? then retry',
        },
      );
    case SWAP_EXITS.notServing:
      return failure(
        'CommandFailed',
        `nginx does not serve the new ${where}, the former file is back: ${words}`,
        { hint: 'a 502 or 504 is the client: see that its container runs there, then retry' },
      );
    case SWAP_EXITS.busy:
      return failure('Unavailable', `another change of nginx on ${nameOf(server)} takes too long`);
    default:
      return classifyExit({ command: `changing ${where}`, ...result });
  }
}
