#!/usr/bin/env bash
# Build the node images, cruntime-node:NAME. Usage: images.sh [NAME...]
# Docker's layer cache makes a second run quick.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cruntime-node

# name -> the Debian suite, and the newer suite its runtimes come from ('' for the same)
declare -A suite=([bookworm]=bookworm [trixie]=trixie [trixie-forky]=trixie)
declare -A runtimes_from=([bookworm]='' [trixie]='' [trixie-forky]=forky)
# an additional node, described below -> the node that it is based on
declare -A based_on=([current]=trixie-forky [lts]=trixie-forky)
for name in bare registry trixie-crio trixie-crio-oldest vm vm-current; do based_on[$name]=trixie; done

# Print the apt mirror of this host, if the host is a Debian. apt knows it only after an update.
host_mirror() {
    local list=(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Label: Debian')
    command -v apt-get >/dev/null || return 0
    if [[ $EUID -eq 0 && -z $("${list[@]}" 2>/dev/null) ]]; then
        apt-get -qq -o Acquire::Check-Valid-Until=false update >&2
    fi
    "${list[@]}" 2>/dev/null | head -n 1
}

# Provide debian:SUITE: use the local image, pull it, or build it from the mirror of the host.
base_image() {
    local name=debian:$1
    if docker image inspect "$name" >/dev/null 2>&1 ||
        timeout 60 docker pull -q "$name" >/dev/null 2>&1; then
        return
    fi
    if [[ -z $mirror || $EUID -ne 0 ]]; then
        echo "$name can't be pulled; only root on a Debian host can build it instead" >&2
        exit 1
    fi
    # One process installs it, and the others wait.
    (
        flock 9
        command -v mmdebstrap >/dev/null || "$here/../install.sh" mmdebstrap
    ) 9>"$cache/lock"
    echo "Building $name with mmdebstrap ..." >&2
    mmdebstrap --quiet --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
        "$1" - "$mirror" | docker import - "$name" >/dev/null
}

# Build a node with the runtimes of a suite.
node_image() {
    local log=$cache/image-$1.log
    docker build -t "cruntime-node:$1" \
        --build-arg BASE="debian:${suite[$1]}" \
        --build-arg SUITE="${suite[$1]}" \
        --build-arg MIRROR="$mirror" \
        --build-arg RUNTIMES_FROM="${runtimes_from[$1]}" \
        "$context" >"$log" 2>&1 || { tail -n 30 "$log" >&2; exit 1; }
}

# Run a function for each argument in parallel. Stop all of them after the first failure.
at_once() {
    local function=$1 word pid pids=()
    shift
    for word; do
        "$function" "$word" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
}

"$here/engine.sh"
mkdir -p "$cache"
"$here/crictl.sh" "$cache/bin"
mirror=$(host_mirror)

context=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$context"' EXIT
cp -r "$here/"{Dockerfile,image_archive.py,init.sh} "$cache/bin" "$context"
# No Debian suite has these builds of containerd, and they take long.
for tool in nerdctl buildctl buildkitd; do
    [[ ! -x ${CRUNTIME_TEST_BIN:-/nonexistent}/$tool ]] || install "$CRUNTIME_TEST_BIN/$tool" "$context/bin/"
done

(($#)) || set -- bookworm trixie trixie-forky registry current
# The root of this machine is another node, which is built first.
[[ " $* " != *' vm-current '* ]] || set -- current "$@"
# The builds with Go take the longest.
for name; do
    [[ ! $name =~ ^(current|lts)$ ]] || "$here/current.sh" "$name" "$cache/$name" &
done
declare -A suites images
for name; do
    name=${based_on[$name]:-$name}
    suites[${suite[$name]}]='' images[$name]=''
done
at_once base_image "${!suites[@]}"
at_once node_image "${!images[@]}"
wait

# Additional nodes: a registry, a node without a runtime, a virtual machine, and nodes with runtimes that
# no Debian suite has: CRI-O, and newer containerds and Dockers.
further() {
    local log=$cache/image-$1.log
    docker build -t "cruntime-node:$1" "${@:3}" "$context/$2" >"$log" 2>&1 || { tail -n 30 "$log" >&2; exit 1; }
}

# Put CRI-O into the root of the image: its binaries from the directory $CRUNTIME_TEST_BIN, with a unit, or
# the apt source in $CRUNTIME_TEST_CRIO_APT, with the files of this host that the source names. The oldest
# CRI-O is in the directory "oldest" of $CRUNTIME_TEST_BIN.
put_crio() {
    local bin=${CRUNTIME_TEST_BIN:-/nonexistent} line=${CRUNTIME_TEST_CRIO_APT:-}
    local root=$context/crio/root path
    [[ $1 != *-oldest ]] || bin+=/oldest line=
    rm -rf "$root"
    if [[ -x $bin/crio ]]; then
        mkdir -p "$root"/usr/{local/bin,lib/systemd/system}
        install "$bin"/{crio,pinns} "$root/usr/local/bin/"
        cp "$here/crio/crio.service" "$root/usr/lib/systemd/system/"
    elif [[ -n $line ]]; then
        mkdir -p "$root/etc/apt/sources.list.d"
        echo "$line" >"$root/etc/apt/sources.list.d/cri-o.list"
        for path in $(grep -oP '(signed-by=|file:)\K/[^] ]+' <<<"$line" || true); do
            mkdir -p "$root${path%/*}"
            cp -rL "$path" "$root${path%/*}/"
        done
    else
        echo "No CRI-O for $1: set CRUNTIME_TEST_BIN to a directory with crio and pinns, or set" \
            "CRUNTIME_TEST_CRIO_APT to an apt source line of a repository with the package cri-o" >&2
    fi
}

# Put the binaries of current.sh at the paths of Debian's packages.
put_built() {
    local root=$context/current/root binary
    rm -rf "$root"
    for binary in "$cache/$1"/*; do
        case ${binary##*/} in
            dockerd | docker-proxy) install -D "$binary" "$root/usr/sbin/${binary##*/}" ;;
            *) install -D "$binary" "$root/usr/bin/${binary##*/}" ;;
        esac
    done
}

cp -r "$here"/{registry,bare,crio,current,vm} "$context/"
for name; do
    case $name in
        trixie-crio*)
            put_crio "$name"
            [[ ! -d $context/crio/root ]] || further "$name" crio
            ;;
        current | lts)
            [[ ! -x $cache/$name/containerd ]] || { put_built "$name" && further "$name" current; }
            ;;
        bare | registry | vm) further "$name" "$name" ;;
        vm-current) [[ ! -x $cache/current/containerd ]] || further "$name" vm --build-arg ROOT=current ;;
    esac
done
# Remove images that newer ones replaced.
docker image prune --force --filter label=cruntime-node >/dev/null
