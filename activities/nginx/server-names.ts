import { type Script, sh } from '../ssh/shell.js';

/**
 * Filter for the output of `nginx -T`: one line `server|<file>|<names>` per `server_name`, which may span lines.
 * nginx only warns of a name that two files serve, so looking it up is our own check.
 */
export const LIST_SERVER_NAMES: Script = sh`awk '
/^# configuration file / { file = $0; sub(/^# configuration file /, "", file); sub(/:$/, "", file); open = 0; next }
{
  line = $0
  sub(/^[ \t]*#.*/, "", line)
  while (length(line) > 0) {
    if (!open) {
      if (!match(line, /(^|[ \t;{}])server_name([ \t]|$)/)) break
      line = substr(line, RSTART + RLENGTH); open = 1; names = ""
    }
    end = index(line, ";")
    if (end == 0) { names = names " " line; break }
    print "server|" file "|" names " " substr(line, 1, end - 1)
    open = 0
    line = substr(line, end + 1)
  }
}'`;

/** The file that serves exactly `hostname`, other than `ownFile`; `lines` are those of `LIST_SERVER_NAMES`. */
export function fileServing(
  hostname: string,
  { lines, ownFile }: { lines: readonly string[]; ownFile: string },
): string | undefined {
  for (const line of lines) {
    const [kind, file = '', names = ''] = line.split('|');
    if (kind !== 'server' || file === ownFile) continue;
    const served = names.split(/\s+/).map((name) => name.replaceAll(/["']/g, '').toLowerCase());
    if (served.includes(hostname)) return file;
  }
  return undefined;
}
