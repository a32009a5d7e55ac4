import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { Runner } from './run.js';
import { sh } from './shell.js';
import type { RunOptions, SshTarget, UploadedFile } from './types.js';

/**
 * Writes beside the file and renames, so that readers see the old content or the new one, with its final mode. The
 * size is compared first: input ends early when a connection is cut. A directory in the file's place is an error.
 */
export async function upload(
  runner: Runner,
  target: SshTarget,
  file: UploadedFile,
  options: RunOptions = {},
) {
  const { path, content, mode } = file;
  if (!posix.isAbsolute(path) || path.endsWith('/'))
    throw failure('InvalidInput', `not the absolute path of a file: ${path}`);
  const beside = posix.join(
    posix.dirname(path),
    `.${posix.basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}`,
  );
  const script = sh`trap 'rm -f -- "$beside"' EXIT
trap 'exit 143' TERM HUP
beside=${beside}
( umask 077; cat > "$beside" )
[ "$(stat -c %s -- "$beside")" = ${Buffer.byteLength(content)} ] || { echo 'the content was cut short' >&2; exit 1; }
chmod -- ${mode.toString(8).padStart(4, '0')} "$beside"
mv -fT -- "$beside" ${path}`;
  await runner.runOk(target, script, { what: `writing ${path}`, ...options, input: content });
}
