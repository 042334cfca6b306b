#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_enable
short_description: Make a container runtime the node's one runtime, as specified
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Gives a node the container runtime that one runtime-neutral spec asks for.
    Changing the one word of O(runtime) switches the node to another runtime.
  - The controller renders the runtime's files from the spec and sends them along, so that a
    run costs one round trip and the node needs nothing but Python.
  - A run is a transaction. The files are judged by the runtime's own binary before they go live,
    the new runtime is up and answers before the old one is stopped, and when anything fails on
    the way, files and units are brought back to what they were.
  - A restart that is owed, because a managed file is newer than the running process, is made
    up for by the next run, whoever wrote the file. So is one after an upgrade, where the process
    still runs a program that its package has replaced.
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.action_group
options:
  runtime:
    description:
      - The container runtime to enable, disable or restart. It must be installed on the node.
    type: str
    required: true
    choices:
      containerd: >-
        containerd 1.6 and newer. Its file is C(/etc/containerd/config.toml), with configuration
        version 2 for containerd 1.x and 3 for 2.x, as found on the node.
        Drop-ins in C(/etc/containerd/conf.d) and C(/etc/containerd/config.d) are read after it.
      crio: >-
        CRI-O 1.28 and newer. Its file is the drop-in C(/etc/crio/crio.conf.d/50-cruntime.conf);
        the distribution's own C(crio.conf) and other drop-ins are left alone.
      docker: >-
        Docker Engine 20.10 and newer. Its file is C(/etc/docker/daemon.json).
        C(docker.socket) and C(docker.service) are treated as one.
  state:
    description:
      - What shall become of the runtime.
    type: str
    default: enabled
    choices:
      enabled: >-
        It runs as specified, now and after every boot. A unit that is masked is unmasked, and a
        warning says so.
      disabled: >-
        It is stopped, its sockets too, and stays so after a boot.
        Its files, images and containers are left alone, and so are the other options.
      restarted: As V(enabled), and it is restarted in any case.
      absent: >-
        It is stopped and disabled. The files that this collection wrote for it are removed, and its
        data too unless O(keep_data) is set. Its packages stay.
  keep_data:
    description:
      - With O(state=absent), whether the images, containers and volumes of the runtime are kept.
      - Only data with the names that the runtime uses is removed, from the directories in the
        managed-files record and from O(storage.root). If one of these directories holds anything
        else, the run fails before anything is stopped. The directories themselves, mount points and
        their C(lost+found) stay.
      - Docker 29 keeps its images and containers in the store of containerd by default. With
        O(runtime=docker) they are removed from there. With O(runtime=containerd), namespaces of
        others that hold anything are an error.
      - With O(runtime=crio), containers and volumes of podman in the same store are an error.
    type: bool
    default: false
  unsafe_writes:
    description:
      - Whether a file on which another file is mounted is overwritten in place, because it can not
        be replaced atomically. Such mounts are common in containers.
      - If the task is killed while it overwrites a file, only a part of the file can remain.
      - If V(false), the task fails before it changes anything.
    type: bool
    default: false
  disable_others:
    description:
      - Whether the other runtimes, of those that this collection knows, are stopped and disabled.
      - A unit that the enabled runtime itself needs is left as it is, such as
        C(containerd.service) where C(docker.service) wants it.
    type: bool
    default: true
  cgroup_driver:
    description:
      - Who manages the containers' cgroups. It must be the kubelet's driver too.
    type: str
    default: auto
    choices:
      systemd: systemd does.
      cgroupfs: The runtime writes to the cgroup file system itself.
      auto: >-
        V(systemd) where the node has cgroups v2. On cgroups v1 what the running runtime says that
        it uses, and V(cgroupfs) where none can be asked.
  sandbox_image:
    description:
      - The image of the container that holds a pod's namespaces, also known as the pause image,
        such as V(registry.k8s.io/pause:3.10). The runtime's own default if not given.
      - With O(runtime=docker) it is for O(cri_service), and changes nothing without; a warning
        says so.
    type: str
  image_repository:
    description:
      - Where the sandbox image of O(kubernetes_version) is pulled from, such as a mirror of
        C(registry.k8s.io), which is the default.
      - Needs O(kubernetes_version) or O(sandbox_image); the latter wins.
    type: str
  kubernetes_version:
    description:
      - The version of Kubernetes that the node is for, such as V(1.34.2). A leading C(v) is
        allowed.
      - Where O(sandbox_image) is not given, it is the one that this version comes with.
      - It decides O(cri_service).
    type: str
  cri_service:
    description:
      - Whether cri-dockerd, by which a kubelet uses Docker, runs too, with O(runtime=docker). It
        must be installed on the node. Its flags are set by a drop-in of C(cri-docker.service).
      - If not given, it does with O(kubernetes_version=1.24.0) or newer.
      - With V(false) it is left as it is.
    type: bool
  network_plugin:
    description:
      - What makes the networks of pods. The runtime's own default, V(cni), if not given.
      - V(kubenet) is for O(cri_service).
    type: str
    choices: [cni, kubenet]
  cni:
    description:
      - Directories of the network plugins of pods.
      - With O(runtime=docker) for O(cri_service) only.
    type: dict
    suboptions:
      bin_dirs:
        description:
          - The directories of the plugins' binaries.
          - If not set, containerd before 2.1 uses the directory that holds the plugins. This is the
            first directory of C(/opt/cni/bin), C(/usr/lib/cni) and C(/usr/libexec/cni) that has an
            executable C(loopback). Newer versions of containerd and cri-dockerd use all three
            directories. CRI-O uses C(/opt/cni/bin) and the directory that holds the plugins, unless
            another one of its files sets C(plugin_dirs).
          - containerd before 2.1 supports only one directory; several are refused on such a node.
        type: list
        elements: str
        default: []
      conf_dir:
        description:
          - Directory of the network configuration. If not set, the default of the runtime is used.
        type: str
  registries:
    description:
      - Registries that need to be told of.
      - containerd reads changes at the next pull, and is restarted only for credentials. It always
        uses C(/etc/containerd/certs.d), even without entries here. Therefore C(hosts.toml) files of
        other registries stay in effect.
      - CRI-O is reloaded. It is restarted only for the first credentials, or if its log would not
        report the reload. Docker is reloaded, and restarted if an entry was removed.
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description:
          - The host, and the port if it is part of the images' names, such as V(docker.io) or
            V(dev.local:5000).
          - V(_default) or V(*) stand for all registries without an entry; with
            O(runtime=containerd) only.
        type: str
        required: true
      rewrite:
        description:
          - What stands in place of O(registries[].registry) when an image is asked for, such as
            V(hub.local:5000/quay). Either may have a path then. With O(runtime=crio) only.
          - Certificates and credentials of this entry are for the host that is asked.
        type: str
      mirrors:
        description:
          - Where to ask before the registry itself, in this order.
          - With O(runtime=docker) for V(docker.io) only.
        type: list
        elements: dict
        default: []
        suboptions:
          url:
            description:
              - The mirror, such as V(https://mirror.local:5000). With C(http://) it is asked
                unencrypted.
              - It can have a path with O(runtime=containerd). With O(runtime=crio) as well, if the
                path begins with C(/v2) and O(registries[].mirrors[].override_path) is set.
            type: str
            required: true
          capabilities:
            description:
              - What it is asked for. V(resolve) is to say what a tag means at the moment, which one
                may not trust a public mirror to do.
              - With O(runtime=crio) it can be left out, and the mirror is asked for digests only;
                V(push) is for O(runtime=containerd).
            type: list
            elements: str
            choices: [pull, resolve, push]
            default: [pull, resolve]
          ca_file: &ca_file
            description: A certificate authority, in a file on the node, that vouches for it.
            type: str
          client_cert_file: &client_cert_file
            description: The certificate, in a file on the node, by which it knows the node.
            type: str
          client_key_file: &client_key_file
            description: The key of that certificate, in a file on the node.
            type: str
          insecure:
            description: Whether its certificate is not verified.
            type: bool
            default: false
          override_path:
            description:
              - Whether the path in O(registries[].mirrors[].url) is where the mirror's API is, so
                that no C(/v2) is put behind it.
            type: bool
            default: false
          headers:
            description:
              - HTTP headers, by name, that it is sent, with O(runtime=containerd).
              - They may be secrets, so that no diff shows the file that holds them.
            type: dict
            default: {}
      ca_file: *ca_file
      client_cert_file: *client_cert_file
      client_key_file: *client_key_file
      insecure:
        description:
          - Whether the registry itself is asked over TLS that is not verified, and where it speaks
            none, over plain HTTP.
        type: bool
        default: false
      username:
        description:
          - Who asks, where a pull brings no credentials of its own. Not with O(runtime=docker).
          - It goes with the host, so that a mirror with a password is given an entry as a registry
            too.
        type: str
      password:
        description:
          - The password or token of O(registries[].username). It is written to a file that only
            root can read, and that no diff shows.
        type: str
  oci_runtime:
    description:
      - The OCI runtime that runs a container that asks for no other; a name in O(oci_runtimes), or
        V(runc), or with O(runtime=crio) V(crun) and a V(runc) that its package brings. The
        runtime's own default if not given.
    type: str
  oci_runtimes:
    description:
      - OCI runtimes beside the runtime's own. One that is not on the node is warned of, and if
        it is the O(oci_runtime) it is an error.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What a RuntimeClass calls it as its handler, a DNS label.
        type: str
        required: true
      path:
        description: Its binary; with a shim that is not runc's, the shim's binary.
        type: str
        required: true
      shim:
        description:
          - The kind of shim that drives it. Runc's, V(io.containerd.runc.v2), if not given, which
            drives all that has runc's command line.
          - CRI-O drives a shim by the name of its binary, which must be
            C(containerd-shim-NAME-VERSION), such as C(containerd-shim-kata-v2).
            Docker does from 23.0 on.
        type: str
  gpus:
    description: How containers get at the node's GPUs.
    type: str
    default: none
    choices:
      none: Not by the runtime's doing.
      nvidia: >-
        By NVIDIA's own OCI runtime, C(/usr/bin/nvidia-container-runtime), which must be installed.
        It is added to O(oci_runtimes) as C(nvidia), unless that is there already, and is the
        O(oci_runtime) unless another one is chosen.
      cdi: >-
        As devices that specifications in C(/etc/cdi) and C(/var/run/cdi) describe, of any vendor.
        Needs containerd 1.7 or Docker 25, or newer.
  rootless:
    description:
      - Whether the node itself, with its systemd, runs inside a user namespace.
      - Needs Linux 5.11 or newer; before 5.13, a warning says that it is old for this.
    type: bool
    default: false
  proxy:
    description:
      - The HTTP proxy between the runtime and the registries. Its URL may hold a password, so that
        it is written to a file that only root can read, and that no diff shows.
    type: dict
    suboptions:
      http:
        description: The URL of the proxy for plain HTTP, with C(http), C(https) or C(socks5).
        type: str
      https:
        description: The URL of the proxy for HTTPS.
        type: str
      no_proxy:
        description: Hosts, domains and networks that are asked directly, as a list or with commas.
        type: list
        elements: str
        default: []
  storage:
    description:
      - Where and how images and containers are kept. The runtime's own defaults if not given.
      - A change that hides images or containers from the runtime is refused, in check mode too,
        before anything is touched. The error lists the hidden data, and how to keep the store.
      - Docker's store also depends on the keys C(features.containerd-snapshotter), C(userns-remap)
        and C(containerd-namespace) of its C(daemon.json). Changes of these keys are refused in the
        same way. If O(storage.root) changes, Docker's volumes count too.
      - A new O(storage.root) that already holds a copy of the old one is accepted.
    type: dict
    suboptions:
      root:
        description: The directory.
        type: str
      driver:
        description: The storage driver, by the runtime's own name; containerd calls it snapshotter.
        type: str
  log_level:
    description: How much the runtime logs. Its own default if not given.
    type: str
    choices: [debug, info, warn, error]
  metrics:
    description: The address, such as V(127.0.0.1:1338), where the runtime serves its metrics.
    type: str
  live_restore:
    description:
      - Whether containers outlive a restart of the runtime. containerd's and CRI-O's always do, so
        that V(false) is for O(runtime=docker), which has it off by default.
      - V(true) is refused on a node that is in a swarm, because there Docker accepts it in a reload
        but does not start with it.
    type: bool
  ulimits:
    description:
      - The resource limits of containers, each by its name as in setrlimit(2), such as C(nofile),
        with C(soft) and C(hard); V(-1) for none.
      - Not with O(runtime=containerd).
    type: dict
    default: {}
  container_logs:
    description:
      - How the containers' logs are rotated. Docker does so itself; for containerd and CRI-O, the
        kubelet does, and nothing is written for the runtime.
    type: dict
    suboptions:
      max_size:
        description: The size of a file that is full, such as V(100m), in V(k), V(m) or V(g).
        type: str
        required: true
      max_files:
        description: How many files are kept; the kubelet keeps 2 at least.
        type: int
  pinned_images:
    description:
      - Images that the kubelet shall never remove to make space.
      - Needs containerd 2.0 or newer. Not with O(runtime=docker).
    type: list
    elements: str
    default: []
  socket:
    description:
      - Where the CRI answers, and where C(crictl) is told that it does. The runtime's own default
        if not given.
      - With O(runtime=docker) for O(cri_service) only, which is where Docker's CRI is.
    type: str
  extra_config:
    description:
      - Any keys of the runtime's own configuration file, merged into it table by table.
        A list replaces a list, with these exceptions. Entries of C(insecure-registries),
        C(exec-opts) and C(labels) of Docker are added to the list, and C(imports) of containerd is
        added to the directories of drop-ins.
      - What another option decides can't be set here to something else.
      - For containerd, mind that the names of plugins differ between 1.x and 2.x.
    type: dict
    default: {}
  exclusive:
    description:
      - Whether keys of Docker's C(daemon.json) that this collection did not write are removed.
        The other runtimes have drop-ins for them.
      - With V(false), these keys stay, also in tables that the spec sets. C(docs/spec.md) has the
        rule for each list. A C(daemon.json) that can't be parsed is then an error.
    type: bool
    default: false
  timeout:
    description:
      - How long a unit may take to stop or to start, and then the runtime until it answers, in
        seconds, 1 at least. A restart may take both. After that, all is rolled back; a unit that
        hangs in its stop is killed then, and started again.
    type: int
    default: 60
  rendered_files:
    description:
      - Not for playbooks, where it is refused. It is how the half of this module that runs on the
        controller hands the files that it rendered to the half that runs on the node.
    type: list
    elements: dict
  rendered_sandbox_image:
    description:
      - Not for playbooks either. The sandbox image that these files name, if any.
    type: str
  rendered_secrets:
    description:
      - Not for playbooks either. The contents of those files that hold secrets, in their order.
    type: list
    elements: str
    default: []
requirements:
  - semver (Python library, on the controller only, for O(kubernetes_version))
  - tomlkit (Python library, on the controller only, for O(extra_config))
  - systemd
  - root privileges (use C(become))
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Of each file and of the units.
  idempotent:
    support: partial
    details: O(state=restarted) restarts each time.
seealso:
  - module: cruntime.node.cruntime_info
"""

EXAMPLES = r"""
- name: The node runs containerd and nothing else
  cruntime.node.cruntime_enable:
    runtime: containerd
    cgroup_driver: systemd
    sandbox_image: registry.k8s.io/pause:3.10

- name: Change one word, and the node runs Docker
  cruntime.node.cruntime_enable:
    runtime: docker
    cgroup_driver: systemd

- name: A kubelet uses Docker, by cri-dockerd
  cruntime.node.cruntime_enable:
    runtime: docker
    kubernetes_version: 1.34.2
    cni:
      bin_dirs: [/usr/lib/cni]

- name: Set a key of the runtime's own file that has no option
  cruntime.node.cruntime_enable:
    runtime: docker
    extra_config:
      max-concurrent-downloads: 6

- name: Stop and disable Docker
  cruntime.node.cruntime_enable:
    runtime: docker
    state: disabled

- name: Remove Docker's files, images and containers
  cruntime.node.cruntime_enable:
    runtime: docker
    state: absent
"""

RETURN = r"""
runtime:
  description: The runtime that this run was about.
  returned: success
  type: str
  sample: containerd
version:
  description: Its version; none if O(state=disabled) and it is not installed.
  returned: success
  type: str
  sample: 1.7.24
socket_path:
  description: Where its CRI answers. For Docker this is the socket of cri-dockerd.
  returned: success
  type: str
  sample: /run/containerd/containerd.sock
cri_endpoint:
  description: The same as a URL, as kubelet and crictl take it.
  returned: success
  type: str
  sample: unix:///run/containerd/containerd.sock
cgroup_driver:
  description: The cgroup driver that it was given; none if O(state=disabled).
  returned: success
  type: str
  sample: systemd
kubelet_options:
  description:
    - The flags, by name, that point a kubelet at this runtime. From O(kubernetes_version=1.27.0) on
      there are none, for RV(kubelet_config) has them.
  returned: success
  type: dict
  sample:
    container-runtime-endpoint: unix:///run/containerd/containerd.sock
kubelet_config:
  description: The fields of the kubelet's own configuration file that go with this spec.
  returned: success
  type: dict
  sample:
    cgroupDriver: systemd
    containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
files:
  description: The files that this run managed.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file; where the path given by the runtime is a link, its target.
      type: str
    changed:
      description: Whether it was, or in check mode would be, written.
      type: bool
    diff:
      description: What it held before and holds after, if that changed. A secret is not shown.
      type: dict
    backup:
      description: Where the text found there was kept, if this collection had not written it.
      type: str
  sample:
    - path: /etc/containerd/config.toml
      changed: true
      backup: /var/lib/cruntime/backups/etc_containerd_config.toml.20261123T101500Z
    - path: /etc/crictl.yaml
      changed: false
units:
  description: The systemd units that this run changed, or in check mode would change.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The unit.
      type: str
    before:
      description: Whether it was active, enabled and masked.
      type: dict
    after:
      description: Whether it is active, enabled and masked.
      type: dict
    cause:
      description: Why it was changed.
      type: str
  sample:
    - name: containerd.service
      before: {active: true, enabled: true, masked: false}
      after: {active: true, enabled: true, masked: false}
      cause: /etc/containerd/config.toml changed
removed:
  description:
    - The files and the data that this run removed, or in check mode would remove.
    - A namespace in the store of containerd is listed with the numbers of its objects.
  returned: success with O(state=absent)
  type: list
  elements: str
  sample:
    - /etc/docker/daemon.json
    - /var/lib/docker/overlay2
    - "/var/lib/containerd: namespace moby (4 images, 1 snapshots, 12 blobs)"
configured_runtimes:
  description: The other runtimes that have managed files on the node.
  returned: success with O(state=absent)
  type: list
  elements: str
  sample: [containerd]
dropped:
  description:
    - Settings of replaced files that are lost, because neither the new file nor a drop-in has them.
      When a foreign file is replaced, C(config.toml) of containerd, C(daemon.json) of Docker, the
      flags of C(cri-docker.service) and C(crictl.yaml) are compared.
    - In check mode, the settings that would be lost.
  returned: success, if O(state) is V(enabled) or V(restarted)
  type: list
  elements: dict
  contains:
    key:
      description: Path of the key, or the name of the flag.
      type: str
    value:
      description: The lost value. It is redacted if its key looks like the name of a secret.
      type: raw
    file:
      description: The file that had set the key.
      type: str
  sample:
    - key: plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata
      value: {runtime_type: io.containerd.kata.v2}
      file: /etc/containerd/config.toml
rolled_back:
  description:
    - On failure, V(true) if files and units were changed and brought back to what they were, and
      V(false) if bringing them back failed. Not returned where nothing was touched.
  returned: always, but for failures before anything was touched
  type: bool
  sample: false
journal:
  description: The last lines that the runtime's units logged during a run that failed.
  returned: failure after something was touched
  type: list
  elements: str
  sample:
    - >-
      containerd: failed to get listener for metrics endpoint: listen tcp 192.0.2.1:1338: bind:
      cannot assign requested address
service:
  description: What is too old for the spec, a runtime, V(cgroups) or V(kernel).
  returned: failure for a version
  type: str
  sample: containerd
installed:
  description: The version that the node has of it.
  returned: failure for a version
  type: str
  sample: 1.7.24
required:
  description: The oldest version that would do.
  returned: failure for a version
  type: str
  sample: 2.0.0
problems:
  description: The problems of the spec, a sentence each. The error message has all of them.
  returned: when the spec is not valid, or the runtime does not support it
  type: list
  elements: str
  sample: ["metrics must be an address with a port, not '127.0.0.1'"]
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: unit_not_started
cmd:
  description: The command that failed.
  returned: when a command fails
  type: list
  elements: str
  sample: [systemctl, restart, --, containerd.service]
rc:
  description: Exit status of the command.
  returned: when a command fails
  type: int
  sample: 1
stderr:
  description: End of the error output of the command. Secrets are redacted.
  returned: when a command fails
  type: str
  sample: Job for containerd.service failed.
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import converge, options
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.rendered import restore_secrets


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(options.ENABLE, **options.RENDERED),
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except CruntimeError as error:
        module.fail_json(**error.result)
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


def run(module: AnsibleModule) -> dict[str, Any]:
    if module.params["rendered_files"] is None:
        raise CruntimeError(
            "cruntime_enable got no rendered files: it must be called by its full name, "
            "cruntime.node.cruntime_enable, so that its action plugin runs first",
            reason="action_plugin_skipped",
        )
    node = Node.of(module, module.params["timeout"])
    if module.params["state"] == "disabled":
        return converge.disable(node, module.params)
    if module.params["state"] == "absent":
        return converge.remove(node, module.params)
    return converge.enable(node, module.params, restore_secrets(module.params))


if __name__ == "__main__":
    main()
