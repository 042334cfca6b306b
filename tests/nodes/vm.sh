#!/usr/bin/env bash
# Machines with their own kernel: each is an emulator in a container, which node.sh removes.
#
#   vm.sh start NAME IMAGE   create a machine from cruntime-node:IMAGE, and start its boot
#   vm.sh await NAME         wait until its systemd is up
#   vm.sh reboot NAME        reboot it, and wait
#   vm.sh cut NAME           cut its power: the emulator is killed, and unsynced writes are lost
#   vm.sh boot NAME          boot it after a power cut, and wait
#   vm.sh forget NAME        remove the key and the settings for SSH
#
# ssh -F .cache/vm/NAME/ssh_config NAME   logs in as an unprivileged user with sudo.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
name=${2:-}
directory=$(realpath "$here/../..")/.cache/vm/$name
# Long enough without KVM on a busy host.
boot_timeout=600

start() {
    local image=$1 devices=()
    command -v ssh >/dev/null || "$here/../install.sh" openssh-client
    forget
    mkdir -p "$directory"
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$directory/key"
    [[ ! -c /dev/kvm ]] || devices=(--device /dev/kvm)
    # Docker chooses a new free port at each start.
    docker run --detach --name "$name" --hostname "$name" --label cruntime-node \
        "${devices[@]}" --publish 127.0.0.1::22 --env "AUTHORIZED_KEY=$(<"$directory/key.pub")" \
        "cruntime-node:$image" >/dev/null
    describe
}

# Write the SSH configuration of the machine.
describe() {
    local port
    port=$(docker port "$name" 22)
    cat >"$directory/ssh_config" <<END
Host $name
    HostName 127.0.0.1
    Port ${port##*:}
    User admin
    IdentityFile $directory/key
    IdentitiesOnly yes
    # All machines of an image have the same host key, so do not record it.
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    ConnectTimeout 30
    ServerAliveInterval 15
    ServerAliveCountMax 20
    # %C keeps the path short, and includes the port, so no machine uses the path of an earlier one.
    ControlPath ${XDG_CACHE_HOME:-$HOME/.cache}/cruntime-node/%C
END
}

on_machine() { timeout 60 ssh -F "$directory/ssh_config" -o ControlPath=none "$name" "$@" 2>/dev/null; }

# Wait until a boot with another ID than the given one is complete.
await() {
    local before=${1:-} said=''
    until ((SECONDS > boot_timeout)); do
        said=$(on_machine 'cat /proc/sys/kernel/random/boot_id && systemctl is-system-running' || true)
        if [[ $said == *running && ${said%$'\n'*} != "$before" ]]; then
            return
        fi
        if [[ -z $(docker ps --quiet --filter "name=^$name$") ]]; then
            break
        fi
        sleep 1
    done
    echo "$name: systemd is '${said##*$'\n'}', not 'running'" >&2
    on_machine systemctl --failed --no-legend >&2 || docker logs --tail 30 "$name" >&2
    return 1
}

reboot() {
    local before
    before=$(on_machine cat /proc/sys/kernel/random/boot_id)
    on_machine sudo systemctl reboot || true
    await "$before"
}

cut() {
    docker kill --signal KILL "$name" >/dev/null
    docker wait "$name" >/dev/null
}

boot() {
    docker start "$name" >/dev/null
    describe
    await
}

forget() { rm -rf "$directory"; }

case ${name:+$1} in
    start | await | reboot | cut | boot | forget) "$1" "${@:3}" ;;
    *)
        sed -n '2,/^set/s/^# \?//p' "$0" >&2
        exit 2
        ;;
esac
