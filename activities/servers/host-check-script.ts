import { type Script, sh } from '../ssh/shell.js';

export interface HostCheckInput {
  baseDir: string;
  vhostDir: string;
  user: string;
}

/** Lines `<key>|<1 or 0>|<what is there>` for everything that the host itself can tell; leaves nothing behind. */
export function hostCheckScript({ baseDir, vhostDir, user }: HostCheckInput): Script {
  return sh`set +e
export PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin"
say() { printf '%s|%s|%s\n' "$1" "$2" "$(printf '%s' "$3" | head -n 1 | tr '|' ' ')"; }
version() { local said; if said=$("\${@:2}" 2>&1 </dev/null); then say "$1" 1 "$said"; else say "$1" 0 "\${said:-missing}"; fi; }
say bash 1 "$BASH_VERSION"
version git git --version
docker='docker'
docker ps -q >/dev/null 2>&1 || { sudo -n docker ps -q >/dev/null 2>&1 && docker='sudo -n docker'; }
version docker $docker version --format '{{.Server.Version}}'
if said=$($docker compose version --short 2>/dev/null); then say compose 1 "$docker compose $said"
elif command -v docker-compose >/dev/null; then say compose 1 docker-compose
else say compose 0 missing; fi
version nginx nginx -v
if ! command -v certbot >/dev/null; then say certbot 0 missing
elif [ -d /snap/certbot ] || python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("certbot_nginx") is None)' 2>/dev/null; then say certbot 1 'with its nginx plugin'
else say certbot 0 'without its nginx plugin'; fi
nvm=missing
for file in "$HOME/nvm.sh" "$HOME/.nvm/nvm.sh"; do [ -e "$file" ] && { nvm=$file; break; }; done
if [ "$nvm" = missing ]; then say nvm 0 missing; else say nvm 1 "$nvm"; . "$nvm" >/dev/null 2>&1; fi
version node node --version
version composer composer --version
reverb=$(supervisorctl status 2>/dev/null </dev/null | grep -i reverb)
case $reverb in *RUNNING*) say supervisor 1 "$reverb" ;; *) say supervisor 0 "\${reverb:-no program reverb}" ;; esac
may() { local path; path=$(command -v "$2") || { say "$1" 1 'not installed, not needed'; return; }; if [ "$(id -u)" = 0 ] || sudo -n -l "$path" >/dev/null 2>&1; then say "$1" 1 allowed; else say "$1" 0 'not allowed'; fi; }
if [ "$docker" = docker ] && docker ps -q >/dev/null 2>&1; then say sudo_docker 1 'not needed: the user is in the group docker'; else may sudo_docker docker; fi
may sudo_docker_compose docker-compose
may sudo_nginx nginx
may sudo_certbot certbot
may sudo_reboot /sbin/reboot
base=${baseDir} owner=${user}
for dir in www git docker docker/clients; do
  found=$(stat -c '%U %a' -- "$base/$dir" 2>/dev/null) || found=missing
  if [ "$found" = "$owner 775" ]; then say "directory:$base/$dir" 1 "$found"; else say "directory:$base/$dir" 0 "$found"; fi
done
for dir in ${vhostDir} "$base/slipway" "$base/backup/clients"; do
  probe=$dir/.slipway-probe-$$
  if said=$( { : > "$probe" && rm -f -- "$probe"; } 2>&1); then say "writable:$dir" 1 writable; else say "writable:$dir" 0 "\${said##*: }"; fi
done
say disk 1 "$(df -P -B1 -- "$base" 2>/dev/null | awk 'NR == 2 { print $4 }')"`;
}

export interface ContainerSqlInput {
  sqlHost: string;
  sqlPort: number;
  /** network of the client pool that no client has */
  subnet: string;
  name: string;
}

/**
 * Tries to reach the SQL server as a client's container would: from a throw-away container in a throw-away network of
 * the client pool. Prints `1|…`, `0|…`, or `-|<why>` when it could not be tried.
 */
export function containerSqlScript({ sqlHost, sqlPort, subnet, name }: ContainerSqlInput): Script {
  return sh`set +e
docker='docker'
docker ps -q >/dev/null 2>&1 || docker='sudo -n docker'
image=
for candidate in busybox alpine $($docker images -q 2>/dev/null | head -n 5); do
  if $docker image inspect --format . -- "$candidate" >/dev/null 2>&1; then image=$candidate; break; fi
done
[ -n "$image" ] || { echo '-|there is no image to try it with'; exit 0; }
trap '$docker network rm '${name}' >/dev/null 2>&1' EXIT
said=$($docker network create --subnet ${subnet} -- ${name} 2>&1) || { echo "-|$said" | head -n 1; exit 0; }
said=$($docker run --rm --pull never --network ${name} --entrypoint nc "$image" -w 2 ${sqlHost} ${sqlPort} 2>&1 >/dev/null </dev/null)
case $? in
  0) echo '1|answers' ;;
  125|126|127) echo '-|the image has no tool to try it with' ;;
  *) echo "0|\${said:-no answer}" | head -n 1 ;;
esac`;
}
