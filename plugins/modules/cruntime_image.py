#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_image
short_description: Pull, load, build, tag, save, push, pin, prune and remove a runtime's images
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Makes the images of the node's container runtime what a task says, on containerd, CRI-O and
    Docker alike. On containerd these are the images of its CRI, in the namespace C(k8s.io).
  - A run looks once at what is there, does what is missing, and looks again. Images are compared
    by their content, not by their names alone, so that a second run changes nothing.
  - Absent images are pulled, unless O(archive), O(build), O(source_image) or O(preload) is set.
    Then images are pinned, saved and pushed if the task sets O(pin), O(export_path) or O(push).
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.action_group
options:
  name:
    description:
      - The images, each as C([registry/]repository[:tag][@digest]), or by its ID, C(sha256:HEX).
        What is short is of docker.io, and without a tag it is C(latest).
      - A digest that does not match means that the image is not there. With a digest, a tag does
        not count.
      - With O(archive), those of its images that are to be there; without a name, all of them.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(absent) takes the names away, and an image with its last name. By a digest or an ID, an
        image goes with all of its names. A short name also means one below C(localhost/), where
        podman keeps what was built or loaded by a short name.
    type: str
    choices: [present, absent]
    default: present
  runtime:
    description: Whose images. Without it, those of the one runtime that the node runs.
    type: str
    choices: [containerd, crio, docker]
  pull:
    description:
      - When images are pulled. With V(never), one that is missing is an error.
      - Without it, V(missing). Check mode can't know what V(always) would bring, and foresees a
        change.
    type: str
    choices: [missing, always, never]
  archive:
    description:
      - Archives on the node, each a docker-archive or an OCI layout in a tar, plain or compressed
        with gzip, zstd or lz4, whose tool must be on the node.
      - What they hold is read from their manifests. Nothing is loaded when all of it is there.
        Otherwise an archive is loaded as a whole, with images that O(name) does not list.
      - One that is truncated, lacks a part, or leads out of itself by C(../) or a link is refused
        before anything is loaded.
      - Docker and podman are given an OCI layout as a docker-archive, so that every version loads
        it. Of an image for several platforms they get the one for this node.
      - The one image of an archive that names none is given the one O(name).
    type: list
    elements: path
  source_image:
    description: The image, by any of its names or its ID, that O(name) shall stand for too.
    type: str
  build:
    description:
      - Builds an image by C(docker build) on Docker, C(podman build) or C(buildah build) for CRI-O,
        and C(nerdctl build) or C(buildctl build) for containerd, whichever is on the node. The
        latter two need a running C(buildkitd), with whatever worker, where they look for it or
        where C(BUILDKIT_HOST) says.
      - A digest of the context, the Dockerfile, the arguments and the options is kept as the label
        C(io.cruntime.build-digest) of the image. While it stays, nothing is built; O(force) builds
        all the same, for example because a base image was renewed. Every file of the context
        counts, those in a C(.dockerignore) too.
    type: dict
    suboptions:
      context:
        description: The folder on the node to build from.
        type: path
        required: true
      dockerfile:
        description: The Dockerfile, below the context or by an absolute path.
        type: str
        default: Dockerfile
      args:
        description:
          - Build arguments. They stay in the image's history, so they are no place for secrets.
        type: dict
        default: {}
      options:
        description: Further options of the tool, each as one word, such as C(--network=host).
        type: list
        elements: str
        default: []
  preload:
    description:
      - A folder of archives on the node, which are loaded as by O(archive); or a tarball of a
        runtime's whole store, packed from C(/var), such as minikube's C(preloaded.tar.lz4).
      - When all of O(name) is there, the folder or tarball is not even read.
      - Of a tarball, the images in O(name) are taken. It is unpacked beside the store in use and
        read by podman, or by a second containerd or Docker of its own, so that nothing that is
        there is lost and nothing is restarted. That takes the room of the unpacked store for a
        while.
    type: path
  platform:
    description:
      - The platform to pull for, such as V(linux/arm64). It does not decide whether an image is
        there.
    type: str
  username:
    description: Who to be to the registry, for pulling and pushing. Needs O(password).
    type: str
  password:
    description:
      - The password or token of O(username). The tools get it by their environment, their terminal
        or a file in memory. No process list shows it, and no disk gets it.
    type: str
  parallel:
    description: How many images are pulled or pushed at once.
    type: int
    default: 4
  retries:
    description:
      - How often a pull or push is tried again when its failure may pass, such as a timeout or a
        busy registry, after 1, 2, 4 and so on up to 30 seconds. What can't pass, such as an image
        that does not exist, fails at once.
    type: int
    default: 3
  pin:
    description:
      - Whether the kubelet's garbage collection and O(prune) shall spare the images. Without it,
        pins stay as they are.
      - containerd 1.6.22, 1.7.3 and newer can do that. Docker can't, and for CRI-O it is the option
        O(ignore:pinned_images) of M(cruntime.node.cruntime_enable).
    type: bool
  export_path:
    description:
      - A file on the node to keep the images in, all in one plain tar. It is written only if it
        does not hold just these images, beside its place first.
      - Only root can read a new file. If a file is replaced and only root can write to its
        directory, the new file keeps the owner and mode of the old file.
    type: path
  push:
    description:
      - Push the images to the registry that their names say, unless it has them.
      - Of an image for several platforms, the one that is there is pushed. It does not replace the
        image for all of them that it was pulled from.
    type: bool
    default: false
  insecure:
    description:
      - Push even if the registry's certificate can't be verified, or in plain HTTP. Docker must
        know such a registry already; see O(ignore:registries) of M(cruntime.node.cruntime_enable),
        which is also where pulls look.
      - Without it, such a registry is not asked what it has, and each run pushes to it.
    type: bool
    default: false
  prune:
    description:
      - Remove the images that no container uses, running or not, that are not pinned, that are not
        in O(name), and of which the runtime does not make its pods. An empty dictionary removes all
        of these.
    type: dict
    suboptions:
      include:
        description: Only images one of whose names is this, or matches it with C(*), C(?), C([]).
        type: list
        elements: str
        default: []
      exclude:
        description: Not images one of whose names is or matches this.
        type: list
        elements: str
        default: []
      untagged:
        description: Only images without a tag.
        type: bool
        default: false
      older_than:
        description: Only images made so long ago, such as V(30m), V(24h) or V(7d).
        type: str
  all_tags:
    description: With O(state=absent), remove the images under all of their names.
    type: bool
    default: false
  force:
    description:
      - With O(state=absent), remove images although containers use them. What CRI-O's containers
        use loses its names only. Docker still refuses what a running container uses.
      - With O(build), build although nothing changed.
    type: bool
    default: false
  timeout:
    description: >-
      How long pulling, loading, saving, pushing, building or removing an image may take, in
      seconds.
    type: int
    default: 600
requirements:
  - systemd
  - crictl, for the images of containerd and CRI-O
  - podman, for all but listing, pulling and removing on CRI-O
  - root privileges (use C(become))
attributes:
  check_mode:
    support: full
    details: O(pull=always) foresees a change, for only the registry knows.
  diff_mode:
    support: full
    details: Of the image IDs that names stand for.
  idempotent:
    support: partial
    details: O(build) with O(force) builds each time.
seealso:
  - module: cruntime.node.cruntime_enable
  - module: cruntime.node.cruntime_info
"""

EXAMPLES = r"""
- name: These images are there
  cruntime.node.cruntime_image:
    name:
      - registry.k8s.io/pause:3.10
      - registry.k8s.io/coredns/coredns:v1.11.3

- name: A private image is there, and stays
  cruntime.node.cruntime_image:
    name: registry.example.com/app:1.4
    username: deploy
    password: "{{ registry_password }}"
    pin: true

- name: All images of an archive are there
  cruntime.node.cruntime_image:
    archive: /srv/images/app.tar.zst

- name: A new name for an image
  cruntime.node.cruntime_image:
    name: registry.example.com/app:stable
    source_image: registry.example.com/app:1.4
    push: true

- name: Build an image and push it
  cruntime.node.cruntime_image:
    name: registry.example.com/app:1.5
    build:
      context: /srv/app
      args:
        VERSION: "1.5"
    push: true

- name: Keep two images in one archive
  cruntime.node.cruntime_image:
    name: [registry.example.com/app:1.4, registry.example.com/app:1.5]
    export_path: /srv/images/app.tar

- name: A node without a registry in reach gets its images from a folder of archives
  cruntime.node.cruntime_image:
    preload: /srv/images

- name: This image is gone, whatever it is called
  cruntime.node.cruntime_image:
    name: registry.example.com/app:1.3
    state: absent
    all_tags: true

- name: Nothing is kept for a week that nobody uses, but for what is kept for later
  cruntime.node.cruntime_image:
    prune:
      older_than: 7d
      exclude: ["registry.k8s.io/*"]
"""

RETURN = r"""
runtime:
  description: The runtime whose images these are.
  returned: success
  type: str
  sample: containerd
actions:
  description:
    - What was done, or in check mode would be, in order. Of a run that failed, what was done
      before it did.
  returned: always, but for failures before anything was touched
  type: list
  elements: dict
  contains:
    action:
      description: >-
        V(pulled), V(loaded), V(preloaded), V(tagged), V(built), V(untagged), V(removed), V(pinned),
        V(unpinned), V(saved) or V(pushed).
      type: str
    name:
      description: The image, or the file that was loaded or written.
      type: str
  sample:
    - action: tagged
      name: registry.example.com/app:stable
    - action: pushed
      name: registry.example.com/app:stable
images:
  description: Those of the task's images that are there after the run.
  returned: always, but for failures before anything was touched
  type: list
  elements: dict
  contains:
    name:
      description: As the task names it.
      type: str
    id:
      description: The ID by which the runtime itself knows it.
      type: str
    repo_tags:
      description: Its names in full.
      type: list
      elements: str
    repo_digests:
      description: Its names by digest, as far as the runtime knows any.
      type: list
      elements: str
    size:
      description: Its size in bytes, counted as the runtime does.
      type: int
    pinned:
      description: Whether the kubelet's garbage collection spares it.
      type: bool
  sample:
    - name: registry.test:5000/library/mirrored:1
      id: sha256:4780c39ba0f325b0eb80ffaad2a8ac06b74fd705709b4217a648e53d856e8502
      repo_tags: ["registry.test:5000/library/mirrored:1"]
      repo_digests: []
      size: 2171545
      pinned: false
digests:
  description: With O(push), the digest of what the registry has now, by name.
  returned: always, but for failures before anything was touched
  type: dict
  sample:
    r.test/app:1: sha256:3f285354d1cafb9c6c69162883013e4e6ace72456b8c256bb73aeda00602a886
failures:
  description: The images that could not be pulled or pushed. The others were.
  returned: when a pull or push failed
  type: list
  elements: dict
  contains:
    name:
      description: The image.
      type: str
    cause:
      description: Why, in the tool's own words.
      type: str
    attempts:
      description: How often it was tried.
      type: int
  sample:
    - name: registry.test:5003/forbidden/x:1
      cause: >-
        failed to pull and unpack image "registry.test:5003/forbidden/x:1": failed to resolve image:
        unexpected status from HEAD request to
        https://registry.test:5003/v2/forbidden/x/manifests/1: 403 Forbidden
      attempts: 1
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: transfer_failed
cmd:
  description: The command that failed.
  returned: when a command fails
  type: list
  elements: str
  sample: [crictl, --runtime-endpoint, 'unix:///run/containerd/containerd.sock', images]
rc:
  description: Exit status of the command.
  returned: when a command fails
  type: int
  sample: 1
stderr:
  description: End of the error output of the command. Secrets are redacted.
  returned: when a command fails
  type: str
  sample: connection refused
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images import request
from ansible_collections.cruntime.node.plugins.module_utils.images.catalog import store_of
from ansible_collections.cruntime.node.plugins.module_utils.images.ensure import ensure
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask
from ansible_collections.cruntime.node.plugins.module_utils.lock import locked
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes import catalog
from ansible_collections.cruntime.node.plugins.module_utils.services import Services


def main() -> None:
    module = AnsibleModule(argument_spec=request.OPTIONS, supports_check_mode=True)
    try:
        result = run(module)
    except CruntimeError as error:
        module.fail_json(**error.result)
    module.exit_json(**result)


def run(module: AnsibleModule) -> dict[str, Any]:
    wanted = request.parse(module.params)
    if os.geteuid() != 0:
        raise CruntimeError(
            "Only root can access images. Run this task with become", reason="not_root"
        )
    timeout = module.params["timeout"]
    runner = Runner(timeout)
    runtime = catalog.running(runner, Services(runner), module.params["runtime"])
    store = store_of(runner, runtime, module.tmpdir, timeout)
    with locked(shared=True, timeout=timeout, check_mode=module.check_mode):
        result = ensure(ImageTask(module, store, runner, wanted))
    return dict(result, runtime=runtime.name)


if __name__ == "__main__":
    main()
