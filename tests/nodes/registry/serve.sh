#!/usr/bin/env bash
# Serve the test image as library/mirrored:1 in three registries, and as the multi-platform image
# library/several:1. Start a fourth registry that fails. Print the certificate of the CA.
set -euo pipefail
mkdir -p /srv/registry && cd /srv/registry
address=$(hostname --ip-address)

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$address" \
    -addext "subjectAltName=IP:$address" -keyout key.pem -out ca.pem 2>/dev/null
htpasswd -Bbn user open-sesame >passwords

tls=(REGISTRY_HTTP_TLS_CERTIFICATE="$PWD/ca.pem" REGISTRY_HTTP_TLS_KEY="$PWD/key.pem")
auth=(REGISTRY_AUTH=htpasswd REGISTRY_AUTH_HTPASSWD_REALM=test REGISTRY_AUTH_HTPASSWD_PATH="$PWD/passwords")
start() {
    port=$1 && shift
    echo "version: 0.1
storage: {filesystem: {rootdirectory: $PWD/data}}
http: {addr: ':$port'}" >"$port.yml"
    systemd-run --quiet --unit "registry-$port" env "$@" docker-registry serve "$PWD/$port.yml"
}
start 5001
start 5000 "${tls[@]}"
start 5002 "${tls[@]}" "${auth[@]}"
systemd-run --quiet --unit registry-bad \
    python3 /usr/local/libexec/cruntime-test/bad.py 5003 "$PWD/ca.pem" "$PWD/key.pem"

copy() {
    skopeo copy --quiet --dest-tls-verify=false \
        "docker-archive:/usr/local/share/cruntime-test/$1.tar" "docker://localhost:5001/library/$2"
}
for _ in 1 2 3 4 5 6 7 8 9 10; do
    copy busybox mirrored:1 && break
    sleep 1
done >&2
copy busybox several:node && copy pause several:other
python3 /usr/local/libexec/cruntime-test/several.py http://localhost:5001/v2/library/several
cat ca.pem
