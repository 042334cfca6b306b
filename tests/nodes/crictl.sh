#!/usr/bin/env bash
# Put a real crictl, which no Debian suite has, into the given directory.
# If crictl can be neither built nor downloaded, the directory stays empty, and the tests that need crictl are skipped.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
bin=$1
version=v1.34.0
# Checksums of upstream's crictl-$version-linux-$arch.tar.gz.
declare -A sha256=(
    [amd64]=a8ff2a3edb37a98daf3aba7c3b284fe0aa5bff24166d896ab9ef64c8913c9f51
    [arm64]=c31d252e203df5f4cf37f314bd3092eb79087e791631c1e607087c74b6d0423f
)

from_dir() {
    [[ -x ${CRUNTIME_TEST_BIN:-/nonexistent}/crictl ]] && install "$CRUNTIME_TEST_BIN/crictl" "$bin/"
}

from_path() {
    command -v crictl >/dev/null && install "$(command -v crictl)" "$bin/"
}

from_cache() {
    [[ -x $bin/crictl && $("$bin/crictl" --version) == *"$version" ]]
}

# crictl/go.mod pins the version and go.sum has the checksums, so the module proxy need not be trusted.
from_go() {
    command -v go >/dev/null || return 1
    echo "Building crictl $version ..." >&2
    (
        cd "$here/crictl"
        GOBIN=$bin CGO_ENABLED=0 go install -trimpath \
            -ldflags "-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=$version" \
            sigs.k8s.io/cri-tools/cmd/crictl
    ) 2>"$bin/../crictl.log"
}

from_release() {
    local arch archive=$bin/../crictl.tar.gz
    arch=$(dpkg --print-architecture) && [[ -n ${sha256[$arch]:-} ]] || return 1
    curl -fsSL --connect-timeout 10 --max-time 120 -o "$archive" \
        "https://github.com/kubernetes-sigs/cri-tools/releases/download/$version/crictl-$version-linux-$arch.tar.gz" \
        2>/dev/null || return 1
    echo "${sha256[$arch]}  $archive" | sha256sum --check --quiet && tar -xzf "$archive" -C "$bin" crictl
}

mkdir -p "$bin"
from_dir || from_path || from_cache || from_go || from_release ||
    echo "crictl is not available: tests that need it are skipped" >&2
