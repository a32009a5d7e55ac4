#!/bin/bash
# Keeps one lab host running: network, overlay, then its init again and again, until TERM; then removes it.
# supervise-host.sh <host directory> <owner pid, 0 for none> <octet> <compose plugin or -> <tmpfs size of /srv in MiB or 0>
set -u
dir=$1 owner=$2 octet=$3 plugin=$4 srv_mb=$5
here=$(dirname "$(readlink -f "$0")")
guest=

finish() {
  trap '' TERM INT HUP
  if [ -n "$guest" ]; then
    # The host's init is the one child of unshare; when unshare has reaped it, the whole PID namespace is gone.
    kill -KILL $(cat "/proc/$guest/task/$guest/children" 2>/dev/null) 2>/dev/null || kill -KILL "$guest" 2>/dev/null
    wait "$guest"
  fi
  bash "$here/remove-host.sh" "$dir" "$octet"
  exit 0
}
# The kernel sends TERM when the owner dies, however it dies (setpriv --pdeathsig).
trap finish TERM
trap '' INT HUP
# An owner that died before the request to be told took effect has left us to another parent.
if [ "$owner" != 0 ] && [ "$PPID" != "$owner" ]; then finish; fi

fail() {
  echo "lab host in $dir: $1" >&2
  finish
}

netns=slipway-$octet veth=slw$octet
# One hardware address per IP address: neighbours remember the last host's for up to 45 s.
mac=$(printf '02:77:00:00:00:%02x' "$octet")
ip netns add "$netns" || fail "no network namespace"
ip -batch - <<IP || fail "no network"
link add $veth type veth peer name eth0 address $mac netns $netns
link set $veth master labbr
link set $veth up
IP
ip -n "$netns" -batch - <<IP || fail "no network inside"
link set lo up
addr add 10.77.0.$octet/24 dev eth0
link set eth0 up
route add default via 10.77.0.1
IP
# volatile: fsync costs nothing; a lab host dies with its processes, never with its kernel.
mount -t overlay slipway-lab -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work,volatile" "$dir/root" || fail "no overlay"
if [ "$srv_mb" != 0 ]; then
  mount -t tmpfs -o "size=${srv_mb}m" slipway-srv "$dir/srv" && cp -a "$dir/root/srv/." "$dir/srv" \
    && chmod 755 "$dir/srv" && mount --move "$dir/srv" "$dir/root/srv" || fail "no tmpfs for /srv"
fi

while :; do
  if [ ! -e "$dir/down" ]; then
    # nsenter, not `ip netns exec`, which remounts /sys so that dockerd finds no cgroups.
    setpriv --pdeathsig KILL nsenter --net="/run/netns/$netns" \
      unshare --mount --pid --uts --ipc --fork --kill-child \
      env -i bash "$here/enter-host.sh" "$dir" "$plugin" /usr/local/lib/lab/init &
    guest=$!
    echo "$guest" > "$dir/guest.tmp" && mv "$dir/guest.tmp" "$dir/guest"
    wait "$guest"
    guest=
    rm -f "$dir/guest"
  fi
  # Bounds the loop when the init cannot start at all; a real reboot takes longer than this.
  sleep 0.1 &
  wait $!
done
