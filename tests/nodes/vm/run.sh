#!/bin/sh
# PID 1 of a machine's container: boots the machine from its disk, and ends with it.
#
# The key $AUTHORIZED_KEY may log in as admin.
set -eu

disk=/disk/disk.qcow2
# The file system neither writes down by itself every five seconds what was renamed, nor spares those
# who rename without a sync: what survives a power cut is what was synced.
root_options=noauto_da_alloc,commit=600

boot() {
    accelerator=$1 file=$2 append=$3 cpu=max
    # Emulated, the fewer features it has the faster it is.
    [ "$accelerator" = kvm ] || cpu=qemu64
    shift 3
    # 0 is no limit.
    exec timeout "${limit:-0}" qemu-system-x86_64 -accel "$accelerator" -cpu "$cpu" -m 2048 -smp 2 -no-user-config -nodefaults \
        -kernel /machine/vmlinuz -initrd /machine/initrd.img \
        -append "root=/dev/vda rw rootflags=$root_options console=ttyS0 quiet mitigations=off net.ifnames=0 $append" \
        -drive "file=$file,if=virtio,format=qcow2,cache=writeback,discard=unmap" \
        -netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22 -device virtio-net-pci,netdev=net,romfile= \
        -device virtio-rng-pci -display none -monitor none -serial stdio "$@"
}

# A device that opens may still be of no use: only a boot can tell.
kvm_works() {
    [ -c /dev/kvm ] || return 1
    # On a copy that is thrown away; the kernel gives up when its first process has spoken.
    (limit=20 && boot kvm /machine/base.qcow2 'panic=-1 init=/bin/echo -- alive' \
        -snapshot -no-reboot) | grep -x 'alive.*'
}

if [ ! -e "$disk" ]; then
    qemu-img create -q -f qcow2 -F qcow2 -b /machine/base.qcow2 "$disk"
    if kvm_works; then echo kvm; else echo tcg,thread=multi; fi >/disk/accelerator
fi
# The emulator hands on where a connection comes from, but for its own loopback: the gateway of Docker's
# network here is on the machine an address of its own, once a Docker runs there too.
socat TCP-LISTEN:22,fork,reuseaddr TCP:127.0.0.1:2222 &
line="f+~ /home/admin/.ssh/authorized_keys 0600 admin admin - $(echo "$AUTHORIZED_KEY" | base64 -w 0)"
credential=$(printf 'd /home/admin/.ssh 0700 admin admin\n%s\n' "$line" | base64 -w 0)
boot "$(cat /disk/accelerator)" "$disk" "systemd.set_credential_binary=tmpfiles.extra:$credential"
