#!/bin/bash
# Removes what a host leaves on the machine once its processes are gone; safe to run twice.
# remove-host.sh <host directory> <octet>
dir=$1 octet=$2
# Nothing may sit above or outside the hosts' own directory: this ends in rm -rf.
case $dir in */hosts/*) ;; *) echo "not a host directory: $dir" >&2; exit 1 ;; esac
mountpoints() { awk -v d="$dir/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r; }
for path in $(mountpoints); do umount "$path" 2>/dev/null || umount -l "$path"; done
ip link del "slw$octet" 2>/dev/null
ip netns del "slipway-$octet" 2>/dev/null
# The kernel frees a control group a moment after its last process; two seconds are plenty.
for try in $(seq 40); do
  left=$(find /sys/fs/cgroup -depth -type d \( -path "*/slipway-lab/$octet" -o -path "*/slipway-lab/$octet/*" \) 2>/dev/null)
  [ -z "$left" ] && break
  echo "$left" | xargs -r rmdir 2>/dev/null
  [ "$try" -gt 1 ] && sleep 0.05
done
# Empty only after the last host.
rmdir /sys/fs/cgroup/slipway-lab /sys/fs/cgroup/*/slipway-lab 2>/dev/null
if mountpoints | grep -q .; then echo "still mounted: $(mountpoints | tr '\n' ' ')" >&2; exit 1; fi
rm -rf --one-file-system "$dir"
