#!/bin/sh
# PID 1 of a machine's container: boots the machine from its disk, and exits when the machine stops.
#
# The user admin accepts the key $AUTHORIZED_KEY.
set -eu

disk=/disk/disk.qcow2
# The file system does not commit renames every five seconds, and does not allocate data early on a
# rename without a sync. Therefore only synced data survives a power cut.
root_options=noauto_da_alloc,commit=600

boot() {
    accelerator=$1 file=$2 append=$3 cpu=max
    # An emulated processor with fewer features is faster.
    [ "$accelerator" = kvm ] || cpu=qemu64
    shift 3
    # 0 disables the limit.
    exec timeout "${limit:-0}" qemu-system-x86_64 -accel "$accelerator" -cpu "$cpu" -m 2048 -smp 2 -no-user-config -nodefaults \
        -kernel /machine/vmlinuz -initrd /machine/initrd.img \
        -append "root=/dev/vda rw rootflags=$root_options console=ttyS0 quiet mitigations=off net.ifnames=0 $append" \
        -drive "file=$file,if=virtio,format=qcow2,cache=writeback,discard=unmap" \
        -netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22 -device virtio-net-pci,netdev=net,romfile= \
        -device virtio-rng-pci -display none -monitor none -serial stdio "$@"
}

# KVM may fail even if its device can be opened. Only a boot shows whether KVM works.
kvm_works() {
    [ -c /dev/kvm ] || return 1
    # Boot a temporary snapshot. The kernel panics and the emulator exits when the first process ends.
    (limit=20 && boot kvm /machine/base.qcow2 'panic=-1 init=/bin/echo -- alive' \
        -snapshot -no-reboot) | grep -x 'alive.*'
}

if [ ! -e "$disk" ]; then
    qemu-img create -q -f qcow2 -F qcow2 -b /machine/base.qcow2 "$disk"
    if kvm_works; then echo kvm; else echo tcg,thread=multi; fi >/disk/accelerator
fi
# The emulator passes on the source address of a connection, except for its own loopback address. Use
# the loopback address, because the gateway of the host's Docker network can be a local address on the machine.
socat TCP-LISTEN:22,fork,reuseaddr TCP:127.0.0.1:2222 &
line="f+~ /home/admin/.ssh/authorized_keys 0600 admin admin - $(echo "$AUTHORIZED_KEY" | base64 -w 0)"
credential=$(printf 'd /home/admin/.ssh 0700 admin admin\n%s\n' "$line" | base64 -w 0)
boot "$(cat /disk/accelerator)" "$disk" "systemd.set_credential_binary=tmpfiles.extra:$credential"
