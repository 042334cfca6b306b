#!/usr/bin/env bash
# Make sure that a Docker Engine answers: use the one there is, else install and start Debian's.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
log=${XDG_CACHE_HOME:-$HOME/.cache}/cruntime-node/dockerd.log

answers() { docker info >/dev/null 2>&1; }

if answers; then
    exit 0
fi

if [[ $EUID -ne 0 ]]; then
    echo "No Docker Engine answers. Start one, or run: sudo $here/engine.sh" >&2
    exit 1
fi

command -v dockerd >/dev/null || "$here/../install.sh" docker.io iptables
# From Debian 13 on, the client is a package of its own.
command -v docker >/dev/null || "$here/../install.sh" docker-cli

if [[ -d /run/systemd/system ]]; then
    systemctl start docker.service
else
    # No init runs here: a daemon of our own, in its own session, outlives the caller.
    mkdir -p "$(dirname "$log")"
    # A machine that went down can leave pid files whose numbers now belong to others.
    pgrep -x dockerd >/dev/null || rm -f /run/docker.pid /run/docker/containerd/containerd.pid
    setsid --fork dockerd </dev/null >"$log" 2>&1
fi

for _ in {1..60}; do
    if answers; then
        exit 0
    fi
    sleep 1
done
echo "dockerd does not answer; see $log or the journal" >&2
exit 1
