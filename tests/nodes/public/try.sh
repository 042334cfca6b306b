#!/usr/bin/env bash
# Try the role runtime on a public image: check mode, provision, provision again without a change, remove.
# Usage: try.sh IMAGE RUNTIME. A package repository in $REPOSITORY is used in addition to those of the image.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
image=$1 runtime=$2
name=cruntime-public-$$

directory=$(mktemp -d)
trap '"$here/../node.sh" down "$name"; rm -rf "$directory"' EXIT

docker build --quiet --build-arg BASE="$image" --tag cruntime-node:public --file "$here/Dockerfile" "$here/.."
"$here/../node.sh" up "$name" public

repositories=[]
[[ -z ${REPOSITORY:-} ]] || repositories="[{name: runtimes, url: '$REPOSITORY'}]"
cat >"$directory/inventory.yml" <<END
all:
  hosts:
    $name:
      ansible_connection: community.docker.docker
      ansible_user: root
      runtime_spec: {runtime: $runtime, cgroup_driver: systemd}
      # The other module may be built into the kernel of the host, or may be missing.
      runtime_kernel_modules: [overlay]
      runtime_repositories: $repositories
END

provision() {
    ansible-playbook --inventory "$directory/inventory.yml" cruntime.node.provision "$@"
}

provision --check --diff
provision
provision | tee "$directory/again"
grep -q 'changed=0 .*failed=0' "$directory/again"
provision --extra-vars runtime_state=absent
