#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_image
short_description: Manage the images of the container runtime of a node
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Pulls, loads, builds, tags, saves, pushes, pins, prunes and removes images of containerd, CRI-O
    and Docker. With containerd, the module manages the images of the CRI, in the namespace
    C(k8s.io).
  - The module lists the images, performs the missing actions, and lists the images again. Images
    are compared by their content in addition to their names. Therefore a second run changes
    nothing.
  - Absent images are pulled, unless O(archive), O(build), O(source_image) or O(preload) is set.
    Then images are pinned, saved and pushed if the task sets O(pin), O(export_path) or O(push).
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.action_group
options:
  name:
    description:
      - References C([registry/]repository[:tag][@digest]) or IDs C(sha256:HEX) of images.
        The registry defaults to C(docker.io) and the tag to C(latest).
      - An image with a different digest counts as absent. If a reference has a digest, its tag is
        ignored.
      - With O(archive), the images of the archives that must be present. If not set, all images of
        the archives must be present.
    type: list
    elements: str
    default: []
  state:
    description:
      - The desired state of the images in O(name).
      - V(absent) removes the tags. Removing the last tag removes the image. With a digest or an ID,
        the image is removed with all of its tags. A short name also selects the image with this
        name below C(localhost/), because podman stores images there that were built or loaded with
        a short name.
    type: str
    choices: [present, absent]
    default: present
  runtime:
    description: >-
      The runtime whose images are managed. If not set, the only running runtime of the node is
      used.
    type: str
    choices: [containerd, crio, docker]
  pull:
    description:
      - When images are pulled. With V(never), the task fails if an image is missing.
      - If not set, V(missing) is used. With V(always), check mode asks the registry for the digest
        of each image. If the registry does not respond to the node, check mode predicts a change.
    type: str
    choices: [missing, always, never]
  archive:
    description:
      - Paths of image archives on the node. An archive is a tar file with a docker-archive or an
        OCI layout. It can be compressed with gzip, zstd or lz4, if this tool is installed on the
        node.
      - The contents are read from the manifests. If all images are present, nothing is loaded.
        Otherwise the whole archive is loaded, including images that O(name) does not list.
      - The task fails before it loads anything if an archive is truncated, lacks a part, or has a
        path outside of the archive through C(../) or a link.
      - The list of images in the archive is replaced while it is loaded, so that all runtimes load
        the same images under the same names. Artifacts, such as Helm charts, and attestations are
        skipped.
      - Of a multi-platform image, podman and Docker load the platform of the node. Docker with its
        images in containerd, which is the default from version 29 on, loads all platforms.
        containerd loads only images for the platform of the node.
      - If an archive contains one image without a name, the image is tagged as the only O(name).
    type: list
    elements: path
  source_image:
    description: Reference or ID of an existing image to tag as O(name).
    type: str
  build:
    description:
      - Build an image with C(docker build) for Docker, with C(podman build) or C(buildah build) for
        CRI-O, and with C(nerdctl build) or C(buildctl build) for containerd. The first of the two
        tools that is installed is used. With Docker, the module needs the client C(docker) only
        for this option. C(nerdctl) and C(buildctl) require a running C(buildkitd) at their default
        address or at the address in C(BUILDKIT_HOST).
      - A digest of the context, the Dockerfile, the arguments and the options is stored as the
        label C(io.cruntime.build-digest) of the image. If the digest is unchanged, nothing is
        built. Set O(force) to build anyway, for example because a base image was updated. The
        digest includes every file of the context, also files in C(.dockerignore).
    type: dict
    suboptions:
      context:
        description: Directory on the node with the build context.
        type: path
        required: true
      dockerfile:
        description: Path of the Dockerfile, absolute or relative to the context.
        type: str
        default: Dockerfile
      args:
        description:
          - Build arguments. The history of the image contains them, so do not use them for secrets.
          - The tool gets the values as environment variables, which other users cannot read. If the
            tool itself reads a variable of this name, such as C(PATH) or C(HTTP_PROXY), or if the
            tool is C(buildctl), the value is in its list of arguments instead.
        type: dict
        default: {}
      options:
        description: Additional arguments of the tool, such as C(--network=host).
        type: list
        elements: str
        default: []
  preload:
    description:
      - Path on the node of a directory with archives, which are loaded like O(archive). Or path of
        a tarball with the whole image store of a runtime, packed from C(/var), such as the
        C(preloaded.tar.lz4) of minikube.
      - If all images in O(name) are present, the directory or tarball is not read.
      - From a tarball, the images in O(name) are loaded. The tarball is extracted next to the image
        store and read with podman or with a separate instance of containerd or Docker. Therefore
        no existing image is lost and nothing is restarted. In the meantime, the extracted store
        needs additional disk space.
    type: path
  platform:
    description:
      - The platform for pulls and for O(export_path), such as V(linux/arm64). An image of another
        platform also counts as present.
      - Without this option, containerd, and Docker with its images in containerd, pull an image
        that is present only for other platforms. CRI-O does not report platforms.
      - With containerd, the ID in RV(images) of an image that is only for other platforms is the
        digest of its manifest or image index.
    type: str
  verify_keys:
    description:
      - Paths on the node of public keys. Images are pulled, or loaded from an O(archive), only if
        one of these keys signed them with cosign, which must be installed on the node.
      - The digest with the valid signature is pulled, and then gets the name. Images that are
        present are not verified. The transparency log is not used.
      - An archive must contain the directory that C(cosign save) writes, with one image.
    type: list
    elements: path
    default: []
  username:
    description: >-
      User name for authentication with the registry in O(name), for pulls, pushes and builds. If
      the names of a build have the host C(localhost), the credentials are used for the registry of
      its base images, if there is only one. Requires O(password).
      Without it, the credentials of C(docker login) are used with Docker.
    type: str
  password:
    description:
      - Password or token of O(username). The runtimes receive it on their sockets, and tools
        through their terminal or a file in memory. It is never in a process list or on a disk.
    type: str
  parallel:
    description: Maximum number of images that are pulled or pushed at the same time.
    type: int
    default: 4
  retries:
    description:
      - Number of retries of a pull or push after a temporary error, such as a timeout or a busy
        registry. The delay starts at 1 second and doubles up to 30 seconds. Permanent errors, such
        as an image that does not exist, are not retried.
    type: int
    default: 3
  pin:
    description:
      - Whether the images are pinned. Pinned images are exempt from O(prune) and from the garbage
        collection of the kubelet. If not set, pins are not changed.
      - Requires containerd 1.6.22, 1.7.3 or newer. Not supported with Docker. For CRI-O, use the
        option O(ignore:pinned_images) of M(cruntime.node.cruntime_enable).
    type: bool
  export_path:
    description:
      - Path on the node of an archive to save the images to, as one uncompressed tar file. The file
        is replaced atomically, and only if it does not contain exactly these images.
      - The archive has references by digest only if the images are in containerd, and with Docker
        only without O(platform). Otherwise, an image that is only named by its digest is saved
        without a name, with a warning.
      - Only root can read a new file. If a file is replaced and only root can write to its
        directory, the new file keeps the owner and mode of the old file, except if O(export_mode)
        is set.
    type: path
  export_mode:
    description:
      - Mode of the archive O(export_path), as a quoted octal number such as V('0640'). Images can
        contain secrets, so let other users read an archive only if they must.
    type: str
  push:
    description:
      - Whether the images are pushed to the registries in their references. An image that the
        registry already has is not pushed.
      - A multi-platform image is pushed whole if the node has all of its platforms. Otherwise, the
        image for the platform of the node is pushed. It does not replace the multi-platform image
        that it was pulled from.
    type: bool
    default: false
  insecure:
    description:
      - Whether to push to a registry whose certificate cannot be verified, or over plain HTTP. For
        Docker, also configure such a registry with O(ignore:registries) of
        M(cruntime.node.cruntime_enable). Pulls always use that option.
      - With V(false), such a registry cannot be queried, and each run pushes to it.
    type: bool
    default: false
  prune:
    description:
      - Remove unused images. Images are kept if a container uses them (running or not), if they are
        pinned, if they are listed in O(name), or if they are the sandbox image of the runtime or
        of a pod. An empty dictionary removes all unused images.
      - An image that the runtime does not remove because it is in use is kept with a warning.
    type: dict
    suboptions:
      include:
        description: >-
          Remove only images with a reference that matches one of these patterns. Patterns can use
          C(*), C(?) and C([]).
        type: list
        elements: str
        default: []
      exclude:
        description: Keep images with a reference that matches one of these patterns.
        type: list
        elements: str
        default: []
      untagged:
        description: Remove only images without a tag.
        type: bool
        default: false
      older_than:
        description: Remove only images that were created at least this long ago, such as V(7d).
        type: str
      labels:
        description: >-
          Remove only images that have all of these labels, each C(KEY) or C(KEY=VALUE).
        type: list
        elements: str
        default: []
  all_tags:
    description: With O(state=absent), whether the images are removed with all of their tags.
    type: bool
    default: false
  force:
    description:
      - With O(state=absent), whether images are removed even if containers use them. With CRI-O,
        images that are in use are only untagged. Docker does not remove an image that a running
        container uses.
      - With O(build), whether the image is built even if nothing changed.
    type: bool
    default: false
  timeout:
    description: >-
      Maximum time in seconds for pulling, loading, saving, pushing, building or removing an image.
    type: int
    default: 600
requirements:
  - systemd
  - ctr, for containerd, to load, save and push images, and to pull for another platform
  - podman, for CRI-O, except for listing, pulling and removing images
  - nerdctl or buildctl for containerd, podman or buildah for CRI-O, and docker for Docker, to build
    images
  - cosign, for O(verify_keys)
  - root privileges (use C(become))
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the image ID of each reference.
  idempotent:
    support: partial
    details: With O(build) and O(force), each run builds the image.
seealso:
  - module: cruntime.node.cruntime_enable
  - module: cruntime.node.cruntime_info
"""

EXAMPLES = r"""
- name: Pull images
  cruntime.node.cruntime_image:
    name:
      - registry.k8s.io/pause:3.10
      - registry.k8s.io/coredns/coredns:v1.11.3

- name: Pull and pin an image of a private registry
  cruntime.node.cruntime_image:
    name: registry.example.com/app:1.4
    username: deploy
    password: "{{ registry_password }}"
    pin: true

- name: Pull the current image of a tag for another platform, from an unreliable registry
  cruntime.node.cruntime_image:
    name: registry.example.com/app:stable
    runtime: containerd
    pull: always
    platform: linux/arm64
    parallel: 2
    retries: 10
    timeout: 1200

- name: Load all images of an archive
  cruntime.node.cruntime_image:
    archive: /srv/images/app.tar.zst

- name: Tag an image and push it
  cruntime.node.cruntime_image:
    name: registry.example.com/app:stable
    source_image: registry.example.com/app:1.4
    push: true

- name: Build an image and push it
  cruntime.node.cruntime_image:
    name: registry.example.com/app:1.5
    build:
      context: /srv/app
      dockerfile: Dockerfile.release
      args:
        VERSION: "1.5"
      options: [--network=host]
    force: true
    push: true

- name: Push an image to a registry without TLS
  cruntime.node.cruntime_image:
    name: registry.example.com:5000/app:1.5
    push: true
    insecure: true

- name: Save two images to one archive
  cruntime.node.cruntime_image:
    name: [registry.example.com/app:1.4, registry.example.com/app:1.5]
    export_path: /srv/images/app.tar

- name: Load images from a directory of archives on a node without access to a registry
  cruntime.node.cruntime_image:
    preload: /srv/images

- name: Remove an image and all of its tags
  cruntime.node.cruntime_image:
    name: registry.example.com/app:1.3
    state: absent
    all_tags: true

- name: Prune unused images older than a week, except those from registry.k8s.io
  cruntime.node.cruntime_image:
    prune:
      older_than: 7d
      exclude: ["registry.k8s.io/*"]

- name: Prune unused images of one registry that have no tag
  cruntime.node.cruntime_image:
    prune:
      include: ["registry.example.com/*"]
      untagged: true
"""

RETURN = r"""
runtime:
  description: Name of the runtime whose images are managed.
  returned: success
  type: str
  sample: containerd
actions:
  description:
    - Actions that the task performed, or would perform in check mode, in order. If the task fails,
      the actions before the failure.
  returned: always, except if the task fails before it changes anything
  type: list
  elements: dict
  contains:
    action:
      description: >-
        V(pulled), V(loaded), V(preloaded), V(tagged), V(built), V(untagged), V(removed), V(pinned),
        V(unpinned), V(saved) or V(pushed).
      type: str
    name:
      description: Reference of the image, or path of the file that was loaded or written.
      type: str
  sample:
    - action: tagged
      name: registry.example.com/app:stable
    - action: pushed
      name: registry.example.com/app:stable
images:
  description: Images of the task that are present after the run.
  returned: always, except if the task fails before it changes anything
  type: list
  elements: dict
  contains:
    name:
      description: Reference of the image, as set in the task.
      type: str
    id:
      description: ID of the image in the runtime.
      type: str
    repo_tags:
      description: Fully qualified references with a tag.
      type: list
      elements: str
    repo_digests:
      description: Fully qualified references with a digest, if the runtime reports any.
      type: list
      elements: str
    size:
      description: Size of the image in bytes, as reported by the runtime.
      type: int
    pinned:
      description: Whether the image is exempt from the garbage collection of the kubelet.
      type: bool
  sample:
    - name: registry.test:5000/library/mirrored:1
      id: sha256:4780c39ba0f325b0eb80ffaad2a8ac06b74fd705709b4217a648e53d856e8502
      repo_tags: ["registry.test:5000/library/mirrored:1"]
      repo_digests: []
      size: 2171545
      pinned: false
digests:
  description: With O(push), the digest of each image in its registry, by reference.
  returned: always, except if the task fails before it changes anything
  type: dict
  sample:
    r.test/app:1: sha256:3f285354d1cafb9c6c69162883013e4e6ace72456b8c256bb73aeda00602a886
failures:
  description: >-
    Images that could not be pulled or pushed. All other images were pulled or pushed.
  returned: when a pull or push fails
  type: list
  elements: dict
  contains:
    name:
      description: Reference of the image.
      type: str
    cause:
      description: Error message of the tool.
      type: str
    attempts:
      description: Number of attempts.
      type: int
  sample:
    - name: registry.test:5003/forbidden/x:1
      cause: >-
        failed to pull and unpack image "registry.test:5003/forbidden/x:1": failed to resolve image:
        unexpected status from HEAD request to
        https://registry.test:5003/v2/forbidden/x/manifests/1: 403 Forbidden
      attempts: 1
incomplete:
  description: Names in O(name) that could not be saved, because layers are missing on the node.
  returned: when RV(reason) is V(image_incomplete)
  type: list
  elements: str
  sample: ["registry.example.com/app:stable"]
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: transfer_failed
cmd:
  description: Command that failed, as a list of arguments.
  returned: when a command fails
  type: list
  elements: str
  sample: [ctr, --address, /run/containerd/containerd.sock, --namespace, k8s.io, images, tag]
rc:
  description: Exit status of the command.
  returned: when a command fails
  type: int
  sample: 1
stderr:
  description: Last part of the error output of the command. Secrets are redacted.
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
from ansible_collections.cruntime.node.plugins.module_utils.redacting_module import (
    RedactingModule,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes import catalog
from ansible_collections.cruntime.node.plugins.module_utils.services import Services


def main() -> None:
    module = RedactingModule(argument_spec=request.OPTIONS, supports_check_mode=True)
    try:
        result = run(module)
    except CruntimeError as error:
        module.fail_json(**error.result)
    module.exit_json(**result)


def run(module: AnsibleModule) -> dict[str, Any]:
    wanted = request.parse(module.params)
    if os.geteuid() != 0:
        raise CruntimeError(
            "Managing images requires root privileges. Set become: true", reason="not_root"
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
