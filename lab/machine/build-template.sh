#!/bin/bash
# Makes the layer that every new lab host starts from a copy of: the machine's file system without the machine's
# own things, plus users, configuration and initialised SQL data.
# build-template.sh <working directory under hosts/> <mariadb or postgres> <backend's SQL password> <guest files> <node>
set -euo pipefail
dir=$1 sql=$2 password=$3 guest=$4 node=$5
here=$(dirname "$(readlink -f "$0")")
mkdir -p "$dir/upper/var/lib" "$dir/work" "$dir/root" "$dir/docker"
# Hidden: everything that is no part of the distribution, and the lab itself. 0:0 is overlayfs' "not here".
for path in /* /.[!.]*; do
  case $path in
    /bin | /etc | /lib* | /sbin | /usr | /var) ;;
    *) [ -e "$path" ] || [ -L "$path" ] || continue; mknod "$dir/upper$path" c 0 0 ;;
  esac
done
mknod "$dir/upper/var/lib/slipway-lab" c 0 0
mount -t overlay slipway-lab -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work,volatile" "$dir/root"
cd "$dir/root"
mkdir -m 755 dev home mnt opt proc run srv sys
mkdir -m 700 root
mkdir -m 1777 tmp
# A newer docker command than the engine's own may shadow it on the machine.
rm -rf usr/local/bin/docker usr/local/bin/docker-compose usr/local/lib/docker usr/local/libexec/docker usr/lib/docker \
  usr/libexec/docker var/lib/docker var/lib/containerd var/log/* var/tmp/*
mkdir -p var/lib/docker usr/local/lib/lab usr/local/bin var/log/lab etc/docker
install -m 755 "$guest/init.sh" usr/local/lib/lab/init
install -m 755 "$guest/setup.sh" usr/local/lib/lab/setup
install -m 755 "$guest/reboot.sh" usr/local/lib/lab/reboot
# A node from a version manager is in a home directory, which a host does not have.
[ -x usr/local/bin/node ] || [ -x usr/bin/node ] || install -m 755 "$node" usr/local/bin/node
install -m 644 "$guest/reverb.mjs" usr/local/lib/lab/reverb.mjs
install -m 755 "$guest/service.sh" usr/local/bin/lab-service
echo "$sql" > usr/local/lib/lab/sql
echo "$password" > usr/local/lib/lab/sql-password
echo '{ "cgroup-parent": "/slipway-lab/template" }' > etc/docker/daemon.json
chmod 600 usr/local/lib/lab/sql-password
cd /
if ! unshare --net --mount --pid --uts --ipc --fork --kill-child \
  env -i bash "$here/enter-host.sh" "$dir" - /usr/local/lib/lab/setup; then
  tail -n 20 "$dir/root/setup.log" "$dir"/root/var/log/lab/*.log >&2
  exit 1
fi
rm -f "$dir/root/usr/local/lib/lab/sql-password" "$dir/root/usr/local/lib/lab/setup"
rmdir "$dir/root/.machine" 2>/dev/null || true
umount "$dir/root"
