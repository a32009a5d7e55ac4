import { fenceOf, type StepContext } from '../../workflows/contract/operation/step.js';
import { speech, takeFence } from './fence.js';
import { PROCESSES } from './processes.js';
import { type Script, scriptText, sh } from './shell.js';

/** How late a line of a young job is seen; its end is noticed at once. Each look costs the host one or two processes. */
const LOOK_SECONDS = 0.05;

/** So many looks are taken, 3 s. What takes longer is followed by one process, and its end noticed by that one. */
const LOOKS = 60;

/** How late a line or the end of a longer job is seen; each time is one wake-up. */
const LONG_LOOK_SECONDS = 0.1;

/** The last bytes of the log that go into messages and histories. */
export const TAIL_BYTES = 1024;

/**
 * Runs as the leader of a session of its own, `$1` its directory, `$2` its fence. It holds the lock of `alive` for as
 * long as it lives, and hands it to nobody. `pid` and `exit.new` exist beforehand with room for their content, so that
 * a disk that has become full cannot hide an end. A TERM ends it like the rest of its group, without an exit code: what
 * the shutdown of a host has ended is run again, and is no answer of the command's.
 */
const SUPERVISOR = sh`dir=$1
read -r boot < /proc/sys/kernel/random/boot_id
read -r stat < /proc/$$/stat
stat=(\${stat##*) })
printf '%s %s %s %s\n' "$$" "\${stat[19]}" "$boot" "$2" 1<> "$dir/pid" || exit 1
bash -eu "$dir/script" >> "$dir/log" 2>&1 8>&-
code=$?
blocks=1
[ "$code" = 0 ] || blocks=$(stat -f -c %a -- "$dir")
printf '%s %s\n' "$code" "$blocks" 1<> "$dir/exit.new"
mv -f -- "$dir/exit.new" "$dir/exit"`;

export interface FollowOptions {
  baseDir: string;
  key: string;
  step: StepContext;
  nonce: string;
  lockWaitMs: number;
  script: Script;
  inputBytes: number | null;
  /** bytes of output that are already known */
  offset: number;
  /** the run of the key that this attempt has followed already: it is not started again */
  attached: number | null;
}

/**
 * Starts the job unless it is there, then prints its output from `offset` until it ends; all in one exec. Says
 * `job <run> <age in ticks>`, and last `exit <code> <free blocks> <size>` with the tail behind it, or `died`.
 */
export function followScript(options: FollowOptions): Script {
  const { baseDir, key, step, script, inputBytes, offset, attached } = options;
  return sh`${takeFence(options)}
jobs=${baseDir}/slipway/jobs key=${key} from=${offset} attached=${attached ?? 0}
${PROCESSES}
dir_of() { if [ "$1" = 1 ]; then dir=$jobs/$key; else dir=$jobs/$key.$1; fi; }
base_of() { dir_of "$1"; base=0; { read -r base < "$dir/base"; } 2>/dev/null; base=\${base:-0}; }
size_of() { size=$(stat -c %s -- "$dir/log" 2>/dev/null) || size=0; }

start_job() {
  base=$from
  if [ "$run" -gt 1 ]; then base_of $((run - 1)); size_of; base=$((base + size)); [ "$base" -ge "$from" ] || base=$from; fi
  dir_of "$run"
  [ -d "$jobs" ] || mkdir -p -m 700 -- "$jobs" || return 1
  mkdir -p -m 700 -- "$dir" && true > "$dir/alive" || return 1
  exec 8<> "$dir/alive"
  flock -w 2 8 || return 1
  write_job || return 1
  ${openInput(inputBytes)}
  setsid -f bash -c ${scriptText(SUPERVISOR)} slipway-job "$dir" ${fenceOf(step)} <&6 >/dev/null 2>&1 6<&- 9>&-
  exec 6<&- 8>&-
}
# one chain: "set -e" would mean nothing here
write_job() {
  printf '%s\n' "$base" > "$dir/base" &&
    printf '%s\n' ${scriptText(script)} > "$dir/script" &&
    printf '%100s\n' '' > "$dir/pid" &&
    printf '%40s\n' '' > "$dir/exit.new" &&
    : > "$dir/log" &&
    ${storeInput(inputBytes)}
}
state_of_job() {
  if [ ! -d "$dir" ]; then state=absent
  elif [ -e "$dir/exit" ]; then state=ended
  elif [ -e "$dir/closed" ]; then state=closed
  elif ! flock -s -n "$dir/alive" true; then state=running
  elif [ -e "$dir/exit" ]; then state=ended
  else
    job_of "$dir"
    if [ -n "$job_boot" ]; then state=died; else state=unbegun; fi
  fi
}
# what a dead supervisor has left behind must not run beside its successor
end_remains() { ! job_of "$dir" || ! signal_job KILL || wait_members 100; }

run=1
while dir_of $((run + 1)); [ -d "$dir" ]; do run=$((run + 1)); done
dir_of "$run"
state_of_job
case $state in
  ended | running) ;;
  *)
    [ "$attached" = 0 ] || slipway_stop died
    if [ "$state" = died ]; then end_remains || slipway_stop busy; fi
    if [ "$state" = died ] || [ "$state" = closed ]; then run=$((run + 1)); fi
    start_job || { rm -rf -- "$dir"; slipway_stop failed; } ;;
esac
exec 9>&-
dir_of "$run"
# what one process reads from descriptor 5 the next one goes on behind
exec 5< "$dir/log" 7< "$dir/alive" 8>&-

# the lock of the supervisor falls when it ends, however it does
flock -s -w ${LOOK_SECONDS} 7; running=$?
age=0
if job_of "$dir"; then read -r uptime _ < /proc/uptime; uptime=\${uptime/./}; age=$((10#$uptime - started)); fi
slipway_say job "$run" "$age"
for ((earlier = 1; earlier < run; earlier++)); do
  base_of $((earlier + 1)); end=$base; base_of "$earlier"
  if [ "$from" -lt "$end" ]; then tail -c +$((from - base + 1)) -- "$dir/log" | head -c $((end - from)); from=$end; fi
done
base_of "$run"
tail -c +$((from - base + 1)) <&5
looks=${LOOKS}
for ((; running && looks; looks--)); do
  flock -s -w ${LOOK_SECONDS} 7; running=$?
  [ ! -s "$dir/log" ] || cat <&5
done
if [ "$running" != 0 ]; then
  flock -s 7 </dev/null >/dev/null 2>&1 &
  tail -c +1 -f -s ${LONG_LOOK_SECONDS} "--pid=$!" <&5
  flock -s 7
  cat <&5
fi
code=
{ read -r code blocks < "$dir/exit"; } 2>/dev/null
[ -n "$code" ] || slipway_stop died
# as far as was read
read -r _ size < /proc/$$/fdinfo/5
slipway_say exit "$code" "$blocks" $((base + size))
[ "$size" = 0 ] || tail -c ${TAIL_BYTES} -- "$dir/log" >&2`;
}

function storeInput(inputBytes: number | null): Script {
  if (inputBytes === null) return sh`:`;
  return sh`exec 6> "$dir/input" && head -c ${inputBytes} >&6 &&
    { read -r _ size < /proc/$$/fdinfo/6; [ "$size" = ${inputBytes} ] || ! echo 'the input was cut short' >&2; }`;
}

/** Once it is open the job has it for good, so its name goes at once: a secret does not outlive anything on the disk. */
function openInput(inputBytes: number | null): Script {
  if (inputBytes === null) return sh`exec 6< /dev/null`;
  return sh`exec 6< "$dir/input" && rm -f -- "$dir/input" || return 1`;
}

export interface EndOptions {
  baseDir: string;
  /** names of job directories begin so, … */
  prefix: string;
  /** … and go on as this regular expression of bash says */
  rest: string;
  step: StepContext;
  nonce: string;
  graceMs: number;
  onEnd: Script | undefined;
}

/**
 * TERM to the process groups, the caller's own ending, KILL after the grace, and no return before they are gone; then
 * their keys are closed. Says `waiting` when something may not be killed (a command under sudo) and waits for its end.
 */
export function endScript({ baseDir, prefix, rest, nonce, graceMs, onEnd }: EndOptions): Script {
  return sh`set +e
${speech(nonce)}
${PROCESSES}
jobs=${baseDir}/slipway/jobs prefix=${prefix} rest=${rest}
dirs=() ending=()
for dir in "$jobs/$prefix"*; do
  [ -d "$dir" ] && [[ \${dir#"$jobs/$prefix"} =~ $rest ]] && dirs+=("$dir")
done
[ "\${#dirs[@]}" -gt 0 ] || exit 0
begun() { job_of "$1" && ! [ -e "$1/exit" ] && ! [ -e "$1/closed" ]; }
for dir in "\${dirs[@]}"; do
  # one that is just being started writes its id within milliseconds
  for ((look = 0; look < 40; look++)); do
    job_of "$dir"; [ -z "$job_boot" ] && [ -e "$dir/alive" ] && ! flock -s -n "$dir/alive" true || break
    sleep 0.05
  done
  if begun "$dir" && has_members; then ending+=("$dir"); signal_job TERM; fi
done
(
set -eu
${onEnd ?? sh`:`}
) </dev/null
ended=$?
for dir in "\${ending[@]}"; do
  job_of "$dir"
  wait_members ${Math.ceil(graceMs / 50)} && continue
  signal_job KILL
  wait_members 60 || { slipway_say waiting; while has_members; do sleep 0.5; done; }
done
for dir in "\${dirs[@]}"; do
  # it may have come to its own end meanwhile
  flock -w 2 -s "$dir/alive" true
  [ ! -e "$dir/exit" ] || mv -f -- "$dir/exit" "$dir/closed"
done
exit "$ended"`;
}

/** The next attempt finds the exit put aside, and starts the next run of the key. A rename needs no space. */
export function closeScript({ baseDir, key, run }: { baseDir: string; key: string; run: number }): Script {
  const dir = `${baseDir}/slipway/jobs/${key}${run === 1 ? '' : `.${run}`}`;
  return sh`[ ! -e ${dir}/exit ] || mv -f -- ${dir}/exit ${dir}/closed`;
}

/** Directories of jobs that have ended; one that still runs keeps its own, or nothing could end it any more. */
export function removeScript({ baseDir, prefix }: { baseDir: string; prefix: string }): Script {
  return sh`set +e
${PROCESSES}
failed=0
for dir in ${`${baseDir}/slipway/jobs/${prefix}`}*; do
  [ -d "$dir" ] || continue
  alive "$dir" || rm -rf -- "$dir" || failed=1
done
exit "$failed"`;
}

/** The same for jobs of any operation whose directory and log are older than `days`. */
export function removeOldScript({ baseDir, days }: { baseDir: string; days: number }): Script {
  return sh`set +e
${PROCESSES}
failed=0
jobs=${`${baseDir}/slipway/jobs`}
[ -d "$jobs" ] || exit 0
while IFS= read -r -d '' dir; do
  [ -z "$(find "$dir" -maxdepth 1 -mtime ${`-${days}`} -print -quit)" ] || continue
  alive "$dir" || rm -rf -- "$dir" || failed=1
done < <(find "$jobs" -mindepth 1 -maxdepth 1 -type d -print0)
exit "$failed"`;
}
