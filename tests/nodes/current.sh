#!/usr/bin/env bash
# Put a containerd, and with the newest one a Docker, which no Debian suite has, into the given directory.
# If they can't be built, the directory stays empty, and the tests that need them are skipped with this reason.
# Usage: current.sh current|lts DIRECTORY
set -euo pipefail

name=$1 bin=$2
binaries=(containerd ctr containerd-shim-runc-v2)
docker=
case $name in
    current)
        containerd=v2.4.2
        # Docker 29 is built from moby v2.0.0-beta.24, the newest version of moby that is a Go module.
        moby=v2.0.0-beta.24
        docker=29.8.1
        binaries+=(dockerd docker-proxy docker)
        ;;
    # The newest of the versions with long-term support.
    lts) containerd=v2.3.7 ;;
esac
what="containerd $containerd${docker:+ and Docker $docker}"
# Each module pins its own dependencies with a go.sum, so the module proxy need not be trusted.
declare -A sum=(
    [github.com/containerd/containerd/v2@v2.3.7]=h1:7PGbgAVKE4ieQjFPv7+kwAv7f9dCtRpExZwjExHD/Fk=
    [github.com/containerd/containerd/v2@v2.4.2]=h1:p6Qg+xbEz8lvwdhHDx0U469xENvp4LgGBx+E7djXkGw=
    [github.com/moby/moby/v2@v2.0.0-beta.24]=h1:sWv7EckkDJhpraR9yUjkw1XeVf39+MWd58E22PYloNA=
    [github.com/docker/cli@v29.8.1+incompatible]=h1:qYL1bCp6cRw2SB1xmLlIOPyV171dilw9W2Jew38vy9c=
)

from_dir() {
    local binary
    [[ $name == current ]] || return 1
    for binary in "${binaries[@]}"; do
        [[ -x ${CRUNTIME_TEST_BIN:-/nonexistent}/$binary ]] || return 1
    done
    install "${binaries[@]/#/$CRUNTIME_TEST_BIN/}" "$bin/"
}

from_cache() {
    [[ $("$bin/containerd" --version) == *" $containerd "* ]] || return 1
    [[ -z $docker ]] || [[ $("$bin/dockerd" --version) == *" $docker,"* &&
        $("$bin/docker" --version) == *" $docker,"* ]]
} 2>/dev/null

from_go() {
    command -v go >/dev/null || return 1
    echo "Building $what (some minutes) ..." >&2
    build_all >"$bin.log" 2>&1
}

build_all() {
    build "github.com/containerd/containerd/v2@$containerd" \
        "github.com/containerd/containerd/v2/version.Version=$containerd" \
        ./cmd/{containerd,ctr,containerd-shim-runc-v2} || return 1
    if [[ -n $docker ]]; then
        build "github.com/moby/moby/v2@$moby" \
            "github.com/moby/moby/v2/dockerversion.Version=$docker" ./cmd/{dockerd,docker-proxy} &&
            build "github.com/docker/cli@v$docker+incompatible" \
                "github.com/docker/cli/cli/version.Version=$docker" ./cmd/docker || return 1
    fi
    install "${binaries[@]/#/$work/bin/}" "$bin/"
}

# build MODULE@VERSION VARIABLE=VALUE PACKAGE...: build packages with the dependencies of their release into $work/bin.
build() {
    local module=$1 variable=$2 found source=$work/${1##*/}
    shift 2
    # The checksum database may be unreachable. The checksums above replace it.
    found=$(GONOSUMDB=${module%@*} go mod download -json "$module") || { echo "$found"; return 1; }
    if [[ $found != *"\"Sum\": \"${sum[$module]}\""* ]]; then
        echo "$module: checksum must be ${sum[$module]}: $found"
        return 1
    fi
    cp -r "$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$found")" "$source"
    chmod -R u+w "$source"
    # The Docker CLI has its go.mod under another name.
    if [[ -e $source/vendor.mod ]]; then
        mv "$source/vendor.mod" "$source/go.mod"
        mv "$source/vendor.sum" "$source/go.sum"
    fi
    CGO_ENABLED=0 go -C "$source" build -mod=readonly -buildvcs=false -trimpath \
        -ldflags "-s -w -X $variable" -o "$work/bin/" "$@"
}

mkdir -p "$bin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Parallel runs wait for the first one, and then use its binaries.
exec 9>"$bin.lock"
flock 9
from_dir || from_cache || from_go || {
    # The cache may hold an older version.
    rm -f "${binaries[@]/#/$bin/}"
    echo "$what is not available: tests that need it are skipped" >&2
}
