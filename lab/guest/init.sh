#!/bin/bash
# Init of a lab host: process 1 of its PID namespace. Starts the services and collects orphans.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cd /
exec </dev/null >>/var/log/lab/init.log 2>&1
hostname -F /etc/hostname
# The kernel's boot id does not change with a namespace's reboot.
cat /proc/sys/kernel/random/uuid > /run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
lab-service start all
# A process 1 without a handler ignores TERM from inside, as it should; bash collects orphans while it waits.
while :; do
  sleep 86400 &
  wait $!
done
