import { type Script, sh } from './shell.js';

/** Nothing is believed of a process id alone: it counts with its start time, on the same boot, and not as a zombie. */
export const PROCESSES = sh`read -r boot < /proc/sys/kernel/random/boot_id
stat_of() {
  line=
  { IFS= read -r -d '' line < "$1"; } 2>/dev/null
  fields=(\${line##*) })
  [ "\${#fields[@]}" -ge 20 ] && [ "\${fields[0]}" != Z ] && [ "\${fields[0]}" != X ]
}
# $1 is a job's directory
job_of() {
  pid= started= job_boot=
  { read -r pid started job_boot _ < "$1/pid"; } 2>/dev/null
  [ -n "$pid" ] && [ "$job_boot" = "$boot" ]
}
is_leader() { stat_of "/proc/$pid/stat" && [ "\${fields[19]}" = "$started" ]; }
alive() { job_of "$1" && is_leader; }
# anything left of the job's session; when a stranger has got the id by now, nothing is
has_members() {
  if [ -e "/proc/$pid" ]; then stat_of "/proc/$pid/stat"; [ "\${fields[19]-}" = "$started" ] || return 1; fi
  for member in /proc/[0-9]*/stat; do
    stat_of "$member" && [ "\${fields[3]}" = "$pid" ] && [ "\${fields[19]}" -ge "$started" ] && return 0
  done
  return 1
}
signal_job() { has_members && kill "-$1" -- "-$pid" 2>/dev/null; }
wait_members() {
  for ((look = 0; look < $1; look++)); do has_members || return 0; sleep 0.05; done
  ! has_members
}`;

/**
 * Ends the exec whose command line bears `id`, with its process group: TERM, and KILL after the grace. sshd does not do
 * it when a channel is closed, keeps its session for as long as the command lives, and sends signals to no command of
 * root's; a script that was given up would also hold its fence against the next attempt.
 */
export function endExecScript({ id, graceMs }: { id: string; graceMs: number }): Script {
  return sh`${PROCESSES}
id=${id}
for file in /proc/[0-9]*/cmdline; do
  words=
  { while IFS= read -r -d '' word; do words+=" $word"; done < "$file"; } 2>/dev/null
  [[ $words == *"$id"* ]] || continue
  pid=\${file#/proc/} pid=\${pid%/*}
  # sshd gives every exec a session: its leader is the one, whatever else has inherited the words
  stat_of "/proc/$pid/stat" && [ "\${fields[3]}" = "$pid" ] || continue
  started=\${fields[19]}
  signal_job TERM
  wait_members ${Math.ceil(graceMs / 50)} || signal_job KILL
done`;
}
