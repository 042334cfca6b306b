#!/usr/bin/env bash
# Make sure that a Docker Engine responds: use the running one, or install and start Debian's.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
log=${XDG_CACHE_HOME:-$HOME/.cache}/cruntime-node/dockerd.log

answers() { docker info >/dev/null 2>&1; }

if answers; then
    exit 0
fi

if [[ $EUID -ne 0 ]]; then
    echo "No Docker Engine responds. Start one, or run: sudo $here/engine.sh" >&2
    exit 1
fi

command -v dockerd >/dev/null || "$here/../install.sh" docker.io iptables
# From Debian 13 on, the client is a separate package.
command -v docker >/dev/null || "$here/../install.sh" docker-cli

if [[ -d /run/systemd/system ]]; then
    systemctl start docker.service
else
    # Without an init system, start the daemon in its own session, so it survives the caller.
    mkdir -p "$(dirname "$log")"
    # After a crash of the machine, the PIDs in PID files can belong to other processes.
    pgrep -x dockerd >/dev/null || rm -f /run/docker.pid /run/docker/containerd/containerd.pid
    setsid --fork dockerd </dev/null >"$log" 2>&1
fi

for _ in {1..60}; do
    if answers; then
        exit 0
    fi
    sleep 1
done
echo "dockerd does not respond; see $log or the journal" >&2
exit 1
