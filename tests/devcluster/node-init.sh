#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pid 1 of a node, in mount, pid, net, ipc and uts namespaces of its own; when it ends, everything in them ends.
# From the environment: R, the cluster's directory; D, the node's; I, its number; N, the cluster's network
# 10.N.0.0/24, in which the host is .1 and node I is .(I+1); CACHE. $D/etc/commands.sh has the command lines.
# The host gives two marks: $D/plugged (eth0 is there) and $D/api.ok (the API server serves).
set -eu # up to the network: a mount that fails must not let the next step write to the host
# shellcheck source=/dev/null
. "$D/etc/commands.sh"

# --- file system: what is written below /var/lib and /var/log stays off the host
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/cairn/cache /run/cairn/cni
mount --bind "$CACHE" /run/cairn/cache
for top in lib log; do
    mkdir -p /run/cairn/$top.upper /run/cairn/$top.work
    mount -t overlay -o "lowerdir=/var/$top,upperdir=/run/cairn/$top.upper,workdir=/run/cairn/$top.work" overlay /var/$top
done
case $CACHE in /var/lib/* | /var/log/*) mount --bind /run/cairn/cache "$CACHE" ;; esac

# bind SOURCE PLACE: a peer group of its own for each, or every mount below would show twice
bind() {
    mkdir -p "$1" "$2"
    mount --bind "$1" "$2" && mount --make-private "$2" && mount --make-rshared "$2"
}
for directory in var/lib/kubelet var/lib/containerd var/lib/cni var/log/pods var/log/containers; do
    bind "$D/fs/$directory" /$directory
done
bind "$R/csi" /var/lib/kubelet/csi-dev # one store for all nodes, as a storage network would be
cp "$D/etc/10-bridge.conflist" /run/cairn/cni/

# The kubelet sets these for the whole machine unless they are so already: here they seem so.
seems() {
    echo "$2" >"/run/cairn/$(basename "$1")"
    mount --bind "/run/cairn/$(basename "$1")" "/proc/sys/$1"
}
seems vm/overcommit_memory 1
seems vm/panic_on_oom 0
seems kernel/panic 10
seems kernel/panic_on_oops 1
seems kernel/keys/root_maxkeys 1000000
seems kernel/keys/root_maxbytes 25000000

# --- network
await() { until test "$1" "$2"; do sleep 0.05; done; }
hostname "node$I"
ip link set lo up
await -e "$D/plugged"
ip address add "10.$N.0.$((I + 1))/24" dev eth0
ip link set eth0 up
ip route add default via "10.$N.0.1" # the host answers, it does not forward
for other in 1 2 3 4 5 6 7 8; do
    [ $other = "$I" ] || ip route add 10.244.$other.0/24 via "10.$N.0.$((other + 1))"
done
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.forwarding=1 net.bridge.bridge-nf-call-iptables=1 \
    net.ipv4.conf.all.route_localnet=1
iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
# Until kube-proxy knows a Service, refuse at once: a first packet let through would be repeated into the void.
iptables -A FORWARD -d 10.96.0.0/16 -j REJECT

set +e

# --- processes: run NAME COMMAND... starts it again 0.5 s after it ends; its pid is in log/NAME.pid
run() {
    local name=$1
    shift
    (
        while :; do
            "$@" >>"$D/log/$name.log" 2>&1 </dev/null &
            echo $! >"$D/log/$name.pid"
            wait $!
            echo "== $name ended with $? at $(date)" >>"$D/log/$name.log"
            sleep 0.5
        done
    ) &
}
# shellcheck disable=SC2154  # arrays of commands.sh
{
    run containerd "${containerd[@]}"
    if [ "$I" = 1 ]; then
        run etcd "${etcd[@]}"
        run kube-apiserver "${kube_apiserver[@]}"
    fi
    await -S /run/containerd/containerd.sock
    # import_image ARCHIVE: also by digest, as a live migration's target asks for its guest's image
    import_image() {
        ctr -n k8s.io images import "$1" || return
        ctr -n k8s.io images ls | awk 'match($1, /^cairn.local\/[^@]*:/) { name = $1; sub(/:[^:]*$/, "", name); print $1, name "@" $3 }' |
            while read -r tagged digest; do ctr -n k8s.io images tag --force "$tagged" "$digest" >/dev/null; done
    }
    # In the background, since the kubelet can start meanwhile. A mark per archive: its name says its content.
    while read -r image; do
        mark=$D/fs/imported.$(basename "$image")
        [ -e "$mark" ] || { import_image "$image" && touch "$mark"; }
    done <"$D/etc/images" >>"$D/log/import.log" 2>&1 &
    # Before RBAC's first objects are there, these would end or back off for seconds.
    await -e "$D/api.ok"
    if [ "$I" = 1 ]; then
        run kube-controller-manager "${kube_controller_manager[@]}"
        run kube-scheduler "${kube_scheduler[@]}"
    fi
    run kubelet "${kubelet[@]}"
    run kube-proxy "${kube_proxy[@]}"
    run csi-dev "${csi_dev[@]}"
    run netpol-dev "${netpol_dev[@]}"
    if [ "$I" = 1 ]; then
        await -S /var/lib/kubelet/plugins/csi-dev/csi.sock
        await -e "$R/crds.ok"
        run snapshot-controller "${snapshot_controller[@]}"
        run csi-snapshotter "${csi_snapshotter[@]}"
        run csi-resizer "${csi_resizer[@]}"
    fi
}
while :; do
    sleep 3600 &
    wait $!
done
