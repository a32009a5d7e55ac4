#!/bin/bash
# Makes the template of lab hosts: runs once as init of a host of its own, with `mariadb` or `postgres` in /usr/local/lib/lab/sql.
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
exec </dev/null >>/setup.log 2>&1
sql=$(cat /usr/local/lib/lab/sql)
password=$(cat /usr/local/lib/lab/sql-password)

# Nothing of the machine's own services comes along.
rm -f /etc/ssh/ssh_host_* /etc/nginx/conf.d/* /etc/nginx/sites-enabled/* /etc/supervisor/conf.d/*
rm -rf /var/lib/containerd /etc/letsencrypt
mkdir -p /var/log/lab /var/log/nginx /var/log/supervisor /usr/libexec/docker/cli-plugins /etc/docker /etc/ssh
touch /usr/libexec/docker/cli-plugins/docker-compose
rm -f /etc/resolv.conf # a link into /run with systemd-resolved
echo 'nameserver 10.77.0.1' > /etc/resolv.conf # refuses at once, where an unreachable server would hang

# The SSH user of the source: a web server's user with a shell.
mkdir -p /var/www
usermod --shell /bin/bash --home /var/www --append --groups docker www-data
install -d -o www-data -g www-data -m 755 /var/www
install -d -o www-data -g www-data -m 700 /var/www/.ssh /var/www/.nvm
cat > /etc/sudoers.d/slipway <<'SUDO'
www-data ALL=(ALL) NOPASSWD: /usr/bin/docker
www-data ALL=(ALL) NOPASSWD: /usr/bin/docker-compose
www-data ALL=(ALL) NOPASSWD: /usr/sbin/nginx
www-data ALL=(ALL) NOPASSWD: /usr/bin/certbot
www-data ALL=(ALL) NOPASSWD: /sbin/reboot
SUDO
chmod 440 /etc/sudoers.d/slipway
# nvm's own file needs a download; this one has its place and its effect, the paths.
echo 'export NVM_DIR="$HOME/.nvm" PATH="/usr/local/bin:$PATH"; nvm() { node --version; }' > /var/www/.nvm/nvm.sh
echo '. "$HOME/.nvm/nvm.sh"' > /var/www/nvm.sh
chown www-data:www-data /var/www/.nvm/nvm.sh /var/www/nvm.sh
# Stand-in for composer, which would bring PHP along: answers its version, installs nothing.
if ! command -v composer >/dev/null; then
  printf '%s\n' '#!/bin/sh' 'case "$*" in *--version*|*-V*) echo "Composer version 2.7.0 (lab stand-in)" ;;' \
    'install*) mkdir -p vendor && echo "Nothing to install (lab stand-in)" ;; esac' > /usr/local/bin/composer
  chmod 755 /usr/local/bin/composer
fi
rm -f /sbin/reboot && cp /usr/local/lib/lab/reboot /sbin/reboot

install -d -o www-data -g www-data -m 775 /srv/www /srv/git /srv/docker /srv/docker/clients /srv/slipway /srv/backup /srv/backup/clients
chown root:www-data /etc/nginx/conf.d && chmod 775 /etc/nginx/conf.d

# One worker: the machine has few cores and several hosts.
sed -i 's/^worker_processes.*/worker_processes 1;/' /etc/nginx/nginx.conf
cat > /etc/nginx/sites-enabled/default <<'NGINX'
server {
  listen 80 default_server;
  listen [::]:80 default_server;
  server_name _;
  return 404;
}
NGINX

cat > /etc/supervisor/conf.d/reverb.conf <<'SUPERVISOR'
[program:reverb]
command=node /usr/local/lib/lab/reverb.mjs
; RUNNING at once: a stand-in has no start-up to prove
startsecs=0
autorestart=true
SUPERVISOR
sed -i -e 's|^file=.*supervisor.sock.*|file=/run/supervisor.sock|' -e 's|^chmod=0700.*|chmod=0770\nchown=root:www-data|' \
  -e 's|^\[supervisord\]|[supervisord]\nnodaemon=true|' /etc/supervisor/supervisord.conf

waited() { for _ in $(seq 400); do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; done; echo "waited in vain for: $*"; return 1; }

setup_mariadb() {
  cat > /etc/mysql/mariadb.conf.d/99-lab.cnf <<'CNF'
[mariadbd]
bind-address = 0.0.0.0
skip-name-resolve
# Small: several hosts share one machine, and each starts from a copy of these files.
innodb_log_file_size = 8M
innodb_buffer_pool_size = 32M
innodb_flush_log_at_trx_commit = 2
innodb_use_native_aio = 0
aria_pagecache_buffer_size = 8M
CNF
  rm -rf /var/lib/mysql && install -d -o mysql -g mysql -m 700 /var/lib/mysql
  mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=socket
  lab-service start mariadb
  waited mariadb-admin ping
  # Everything a client's own account may be granted, plus what makes databases and accounts; no SUPER, no FILE.
  mariadb <<SQL
CREATE USER 'slipway'@'10.77.0.%' IDENTIFIED BY '$password';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES,
  CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, EVENT, TRIGGER, DELETE HISTORY,
  CREATE USER, RELOAD, PROCESS, SHOW DATABASES, CONNECTION ADMIN
  ON *.* TO 'slipway'@'10.77.0.%' WITH GRANT OPTION;
SQL
  lab-service stop mariadb
}

setup_postgres() {
  local data=/var/lib/postgresql/lab bin
  bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
  rm -rf /var/lib/postgresql && install -d -o postgres -g postgres -m 755 /var/lib/postgresql
  setpriv --reuid postgres --regid postgres --init-groups "$bin/initdb" -D $data -E UTF8 --locale=C.UTF-8 \
    --auth-local=peer --auth-host=scram-sha-256 --no-sync --wal-segsize=4
  cat >> $data/postgresql.conf <<'CONF'
listen_addresses = '*'
unix_socket_directories = '/run/postgresql'
external_pid_file = '/run/postgresql/lab.pid'
password_encryption = scram-sha-256
# Small and quick: several hosts share one machine, and none outlives its kernel.
shared_buffers = 32MB
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 64MB
CONF
  cat >> $data/pg_hba.conf <<'HBA'
host all all 10.77.0.0/24 scram-sha-256
host all all 10.213.0.0/16 scram-sha-256
HBA
  lab-service start postgres
  waited psql_root -c 'select 1'
  # Not a superuser; it makes databases and roles, and ends the sessions of those it drops.
  psql_root -v ON_ERROR_STOP=1 -c "CREATE ROLE slipway LOGIN CREATEDB CREATEROLE PASSWORD '$password'" \
    -c 'GRANT pg_signal_backend TO slipway'
  lab-service stop postgres
}
psql_root() { setpriv --reuid postgres --regid postgres --init-groups psql -qX "$@"; }

# Docker pulls nothing in the lab, so the image that every throw-away container needs is here from the start.
setup_docker() {
  lab-service start docker
  waited docker version
  mkdir -p /tmp/busybox/bin /tmp/busybox/etc /tmp/busybox/tmp
  cp "$(command -v busybox)" /tmp/busybox/bin/busybox
  for name in $(busybox --list); do [ -e /tmp/busybox/bin/$name ] || ln -s busybox /tmp/busybox/bin/$name; done
  printf 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/:/bin/sh\n' > /tmp/busybox/etc/passwd
  printf 'root:x:0:\nwww-data:x:33:\n' > /tmp/busybox/etc/group
  tar -C /tmp/busybox -c . | docker import --change 'CMD ["sh"]' - busybox:latest
  lab-service stop docker
}

if ! command -v node >/dev/null; then echo "node is not on the machine's own PATH" && exit 1; fi
"setup_$sql"
setup_docker
rm -f /setup.log
