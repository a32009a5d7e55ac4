import { type Script, sh } from '../ssh/shell.js';

/**
 * Shell function `ask_http <port> <path> <host>`: prints the first line that 127.0.0.1 answers, nothing when it does
 * not. Hosts need not have curl. In a subshell, where a peer that hangs up is no death of the script.
 */
export const ASK_HTTP: Script = sh`
ask_http() (
  trap '' PIPE
  exec 6<> "/dev/tcp/127.0.0.1/$1" || exit 0
  printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "$2" "$3" >&6 || true
  line=
  IFS= read -r -t 5 line <&6 || true
  printf '%s\n' "\${line%$'\r'}"
) 2>/dev/null`;
