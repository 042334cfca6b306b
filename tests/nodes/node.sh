#!/usr/bin/env bash
# Start and remove test nodes: containers with systemd that can run their own runtimes, and machines.
#
#   node.sh up NAME IMAGE [NAME IMAGE]...   start NAME from cruntime-node:IMAGE, wait until systemd is up
#   node.sh down NAME...                    remove nodes and their volumes, in any state
#
# If CRUNTIME_COVERAGE is set to a directory, the lines of Python that run on the nodes are recorded in it.
set -euo pipefail

here=$(dirname "$(realpath "$0")")

up() {
    local -A nodes=()
    local name
    while (($#)); do
        nodes[$1]=$2
        shift 2
    done
    # The nodes boot in parallel.
    for name in "${!nodes[@]}"; do
        start "$name" "${nodes[$name]}"
    done
    for name in "${!nodes[@]}"; do
        if [[ ${nodes[$name]} == vm* ]]; then "$here/vm.sh" await "$name"; else await "$name"; fi
    done
}

start() {
    local name=$1 image=$2
    docker image inspect "cruntime-node:$image" >/dev/null 2>&1 || "$here/images.sh" "$image"
    if [[ $image == vm* ]]; then
        "$here/vm.sh" start "$name" "$image"
        return
    fi
    if [[ -n ${CRUNTIME_COVERAGE:-} ]]; then
        docker build --quiet --tag "cruntime-node:$image-coverage" \
            --build-arg BASE="cruntime-node:$image" "$here/coverage" >/dev/null
        image+=-coverage
    fi
    # Do not use --privileged: it requires SYS_RESOURCE, which a confined host can't grant.
    # overlayfs does not stack on overlayfs, so the runtimes' data gets volumes.
    docker run --detach --name "$name" --hostname "$name" --label cruntime-node \
        --cap-add ALL --cap-drop SYS_RESOURCE \
        --security-opt seccomp=unconfined \
        --security-opt apparmor=unconfined \
        --security-opt systempaths=unconfined \
        --device-cgroup-rule 'a *:* rwm' \
        --cgroupns private \
        --tmpfs /run --tmpfs /tmp:exec,mode=1777 \
        --volume /var/lib/containerd --volume /var/lib/docker --volume /var/lib/containers \
        "cruntime-node:$image" >/dev/null
}

await() {
    local name=$1 state=''
    for _ in {1..240}; do
        state=$(docker exec "$name" systemctl is-system-running 2>/dev/null || true)
        if [[ $state == running ]]; then
            return
        fi
        sleep 0.25
    done
    echo "$name: systemd is '$state', not 'running'" >&2
    docker exec "$name" systemctl --failed --no-legend >&2 || true
    return 1
}

# On cgroup v1, the processes of a paused container ignore even SIGKILL.
thaw="find /sys/fs/cgroup/freezer -name freezer.state | while read -r state; do echo THAWED >\"\$state\"; done"

down() {
    local name
    for name; do
        docker unpause "$name" >/dev/null 2>&1 || true
        docker exec "$name" sh -c "$thaw" >/dev/null 2>&1 || true
        if [[ -n ${CRUNTIME_COVERAGE:-} ]]; then
            docker cp "$name:/var/lib/cruntime-coverage/." "$CRUNTIME_COVERAGE" >/dev/null 2>&1 || true
        fi
        docker rm --force --volumes "$name" >/dev/null 2>&1 || true
        "$here/vm.sh" forget "$name"
        if docker container inspect "$name" >/dev/null 2>&1; then
            echo "$name could not be removed" >&2
            return 1
        fi
    done
}

case ${1:-} in
    up | down) "$@" ;;
    *)
        sed -n '2,/^set/s/^# \?//p' "$0" >&2
        exit 2
        ;;
esac
