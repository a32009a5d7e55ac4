#!/bin/bash
# lab-service start|stop|kill|restart <service>... : the host's services without systemd.
# Services: ssh docker nginx mariadb postgres supervisor; `all` is what this host has.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
logs=/var/log/lab
# Where each service leaves its pid.
declare -A pidfile=(
  [ssh]=/run/sshd.pid [docker]=/run/docker.pid [nginx]=/run/nginx.pid [supervisor]=/run/supervisord.pid
  [mariadb]=/run/mysqld/mysqld.pid [postgres]=/run/postgresql/lab.pid
)
postgres_bin() { ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1; }

start() {
  case $1 in
    ssh) mkdir -p /run/sshd && /usr/sbin/sshd -E $logs/sshd.log ;;
    nginx) nginx ;;
    docker) setsid dockerd </dev/null >>$logs/docker.log 2>&1 & ;;
    mariadb)
      install -d -o mysql -g mysql /run/mysqld
      setsid mariadbd --user=mysql </dev/null >>$logs/mariadb.log 2>&1 & ;;
    postgres)
      install -d -o postgres -g postgres /run/postgresql
      # A killed server leaves its lock file; this host has only one.
      running postgres || rm -f /var/lib/postgresql/lab/postmaster.pid
      setsid setpriv --reuid postgres --regid postgres --init-groups "$(postgres_bin)/postgres" \
        -D /var/lib/postgresql/lab </dev/null >>$logs/postgres.log 2>&1 & ;;
    supervisor) setsid supervisord -c /etc/supervisor/supervisord.conf </dev/null >>$logs/supervisor.log 2>&1 & ;;
    *) echo "no service $1" >&2; return 1 ;;
  esac
}
pid_of() { head -1 "${pidfile[$1]}" 2>/dev/null; }
running() { local pid; pid=$(pid_of "$1"); [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }
signal() {
  local pid; pid=$(pid_of "$1"); [ -n "$pid" ] || return 0
  # INT is the fast shutdown of Postgres; its TERM waits for clients to leave.
  [ "$1" = postgres ] && [ "$2" = TERM ] && set -- "$1" INT
  kill -"$2" "$pid" 2>/dev/null
  return 0
}
# 15 s: dockerd gives its containers ten, a SQL server flushes small data.
gone() {
  for _ in $(seq 300); do running "$1" || break; sleep 0.05; done
  if running "$1"; then echo "$1 is still running" >&2; return 1; fi
  rm -f "${pidfile[$1]}"
}

verb=${1:?verb}; shift
[ "${1:-all}" = all ] && set -- ssh nginx $(cat /usr/local/lib/lab/sql) docker supervisor
result=0
case $verb in
  start) for s in "$@"; do running "$s" || start "$s" || result=1; done ;;
  stop | kill | restart)
    for s in "$@"; do signal "$s" "$([ "$verb" = kill ] && echo KILL || echo TERM)"; done
    for s in "$@"; do gone "$s" || result=1; done
    if [ "$verb" = restart ]; then for s in "$@"; do start "$s" || result=1; done; fi ;;
  status) for s in "$@"; do running "$s" && echo "$s up" || echo "$s down"; done ;;
  *) echo "start, stop, kill, restart or status" >&2; exit 2 ;;
esac
exit $result
