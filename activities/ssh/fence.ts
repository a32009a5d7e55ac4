import { createHash } from 'node:crypto';
import { failure } from '../../workflows/contract/operation/failures.js';
import { fenceOf, type StepContext } from '../../workflows/contract/operation/step.js';
import { type Script, sh } from './shell.js';

/** What a script says about itself on its standard error, before anything of the caller's has run. */
export type Refusal = 'closed' | 'busy' | 'failed';

export interface FenceOptions {
  baseDir: string;
  step: StepContext;
  /** unguessable word that begins each line of ours on standard error */
  nonce: string;
  lockWaitMs: number;
}

/** Says a word of ours and ends: 75 is EX_TEMPFAIL of sysexits, the word is what counts. */
export function speech(nonce: string): Script {
  return sh`slipway_say() { printf '%s %s\n' ${nonce} "$*" >&2; }
slipway_stop() { slipway_say "$1"; exit 75; }`;
}

/**
 * Takes the subject's fence (`docs/contract/operations.md`, Steps 7) and leaves its lock on descriptor 9: refuses
 * (`closed`) when the file holds a higher text, waits a bounded time for a script of another attempt (`busy`), else
 * writes its own text over the old one, which needs no space once the file exists. In an undo what cannot be written is
 * not insisted on.
 * Throws in a plan: who takes the fence is about to write.
 */
export function takeFence({ baseDir, step, nonce, lockWaitMs }: FenceOptions): Script {
  if (step.planning === true) throw new Error(`"${step.title}" writes on hosts, so it is no check`);
  const unwritten = step.phase === 'undo' ? sh`:` : sh`slipway_stop failed`;
  return sh`${speech(nonce)}
slipway_root=${baseDir}/slipway
slipway_file=$slipway_root/fences/${fenceFile(step.subject)}
slipway_fence=${fenceOf(step)}
[ -d "$slipway_root/fences" ] || { mkdir -p -- "$slipway_root" && mkdir -p -m 700 -- "$slipway_root/fences"; } || ${unwritten}
if true 9<>"$slipway_file"; then
  exec 9<>"$slipway_file"
  flock -w ${(lockWaitMs / 1000).toFixed(2)} 9 || slipway_stop busy
  slipway_seen=
  IFS= read -r slipway_seen <&9 || :
  if [[ $slipway_seen > $slipway_fence ]]; then slipway_stop closed; fi
  [ "$slipway_seen" = "$slipway_fence" ] || printf '%s\n' "$slipway_fence" 1<>"$slipway_file" || ${unwritten}
else
  ${unwritten}
fi`;
}

/**
 * The script behind the fence, in a shell of its own: it ends with the lock still held, but nothing that it starts
 * inherits the lock, so that a daemon does not hold it for ever.
 */
export function fenced(options: FenceOptions, script: Script): Script {
  return sh`${takeFence(options)}
(
set -eu
${script}
) 9>&-`;
}

/** A file name for a subject: readable, never a path, below the 255 bytes of a name. */
export function fenceFile(subject: string): string {
  const name = encodeURIComponent(subject).replaceAll('%3A', ':').replace(/^\./, '%2E');
  if (name.length <= 200) return name;
  return `${name.slice(0, 130)}-${createHash('sha256').update(subject).digest('hex')}`;
}

/** The refusal that a script's standard error begins with, or null when the caller's script has run. */
export function readRefusal(nonce: string, stderr: string): Refusal | null {
  const said = new RegExp(`^${nonce} (closed|busy|failed)$`, 'm').exec(stderr);
  return (said?.[1] as Refusal | undefined) ?? null;
}

export function refusalFailure(refusal: 'closed' | 'busy', step: StepContext, where: string) {
  if (refusal === 'closed') {
    return failure('OperationClosed', `${where}: a later attempt has taken over ${step.subject}`);
  }
  return failure(
    'Unavailable',
    `${where}: a command of an earlier attempt on ${step.subject} has not ended yet`,
  );
}
