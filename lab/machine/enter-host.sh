#!/bin/bash
# First process of a host's new namespaces: builds its file system view, leaves the machine's, becomes its init.
# enter-host.sh <host directory> <compose plugin or -> <init>
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
dir=$1 plugin=$2 init=$3
root=$dir/root
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
if [ -c "$root/dev/ptmx" ]; then mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx"; fi
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
# Docker's overlay2 cannot sit on an overlay.
mount --bind "$dir/docker" "$root/var/lib/docker"
if [ "$plugin" != - ]; then mount --bind -o ro "$plugin" "$root/usr/libexec/docker/cli-plugins/docker-compose"; fi
cd "$root"
mkdir -p .machine
pivot_root . .machine
exec chroot . /bin/bash -c 'umount -l /.machine; cd /; rmdir /.machine; exec "$0"' "$init"
