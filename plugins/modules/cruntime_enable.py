#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_enable
short_description: Configure, enable, disable, restart or remove a container runtime
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Configures and enables a container runtime from a spec that is the same for all runtimes. To
    switch the node to another runtime, change O(runtime).
  - The controller renders the files of the runtime and sends them with the module. A run takes one
    round trip, and the node needs only Python.
  - A run is a transaction. The files are validated with the runtime's own binary before they are
    installed, and the new runtime is started and verified before the old runtime is stopped. If a
    step fails, files and units are rolled back.
  - A pending restart is performed by the next run. A restart is pending if a managed file is newer
    than the running process, no matter what changed the file, or if an upgrade replaced the binary
    of the running process.
  - Running containers never end without being asked for. See O(running_containers).
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.action_group
options:
  runtime:
    description:
      - The container runtime to enable, disable or restart. It must be installed on the node.
      - If the unit of containerd or Docker selects another configuration file in C(/etc), this file
        is written. Another file elsewhere is an error.
    type: str
    required: true
    choices:
      containerd: >-
        containerd 1.6 and newer. The module writes C(/etc/containerd/config.toml), with
        configuration version 2 for containerd 1.x and version 3 for 2.x.
        Drop-ins in C(/etc/containerd/conf.d) and C(/etc/containerd/config.d) are read after it.
      crio: >-
        CRI-O 1.28 and newer. The module writes the drop-in
        C(/etc/crio/crio.conf.d/50-cruntime.conf). It does not change the C(crio.conf) of the
        distribution and other drop-ins.
      docker: >-
        Docker Engine 20.10 and newer. The module writes C(/etc/docker/daemon.json), and manages
        C(docker.socket) and C(docker.service) together.
  state:
    description:
      - The desired state of the runtime.
    type: str
    default: enabled
    choices:
      enabled: >-
        The runtime matches its spec, is running, and starts at boot. A masked unit is unmasked with
        a warning.
      disabled: >-
        The runtime and its sockets are stopped and disabled. Units of Docker are also masked, as
        with O(disable_others). Files, images and containers are kept, and the other options are
        ignored.
      restarted: Same as V(enabled), and the runtime is always restarted.
      restored: >-
        The units of all runtimes are as in O(units), such as before a change of the runtime. The
        runtime must be one that was running. It is started and verified before other units are
        stopped. Files do not change, and the other options except O(running_containers) and
        O(timeout) are ignored.
      absent: >-
        The runtime is stopped and disabled. The files that this collection wrote for the runtime
        are removed, and also its data unless O(keep_data) is set. The packages are kept.
  units:
    description:
      - With O(state=restored), the states of the units, as M(cruntime.node.cruntime_info) returned
        them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the unit.
        type: str
        required: true
      active:
        description: Whether the unit is active.
        type: bool
        required: true
      enabled:
        description: Whether the unit starts at boot.
        type: bool
        required: true
      masked:
        description: Whether the unit is masked.
        type: bool
        required: true
  keep_data:
    description:
      - With O(state=absent), whether the images, containers and volumes of the runtime are kept.
      - Only data with the names that the runtime uses is removed, from the directories in the
        managed-files record and from O(storage.root). If one of these directories holds anything
        else, the run fails before anything is stopped. The directories themselves, mount points and
        their C(lost+found) stay.
      - Docker 29 keeps its images and containers in the store of containerd by default. With
        O(runtime=docker), they are removed from the store of containerd. With
        O(runtime=containerd), namespaces of other clients that are not empty are an error.
      - With O(runtime=crio), containers and volumes of podman in the same store are an error.
    type: bool
    default: false
  unsafe_writes:
    description:
      - Whether a file on which another file is mounted is overwritten in place, because it cannot
        be replaced atomically. Such mounts are common in containers.
      - If the task is killed while it overwrites a file, only a part of the file can remain.
      - If V(false), the task fails before it changes anything.
    type: bool
    default: false
  disable_others:
    description:
      - Whether the other runtimes that this collection supports are stopped and disabled.
        C(docker.service) and C(cri-docker.service) are also masked, because packages and clients
        start them by name. A unit file in C(/etc/systemd/system) is not masked.
      - A unit that the enabled runtime needs is not changed, such as C(containerd.service) if
        C(docker.service) depends on it.
    type: bool
    default: true
  running_containers:
    description:
      - What the task does if a step would end running containers, or leave them without a runtime.
        RV(containers_at_risk) lists these containers, in check mode too.
      - A restart ends the containers of Docker without O(live_restore), and the containers of CRI-O
        whose conmon is in the cgroup of C(crio.service). If another runtime is enabled, the
        containers of the old runtime end with Docker, and are left without a runtime with
        containerd and CRI-O.
      - A restart that was pending before the task waits with V(refuse) too, with a warning, such
        as after an upgrade of the package, or if another tool changed a file.
      - O(state=restarted) restarts the runtime in any case. With O(state=absent), the option is
        ignored, and running containers are an error.
    type: str
    default: refuse
    choices:
      refuse: The task fails before it changes anything, in check mode too.
      stop: The task continues, with a warning.
      ignore: The task continues.
      defer: >-
        The task does everything that ends no container. Files are validated and written, and only
        the restart waits, or the stop of another runtime. It is returned as RV(restart_pending),
        with a warning. A later task performs it when no container is at risk.
  cgroup_driver:
    description:
      - The cgroup driver of the runtime. The kubelet must use the same driver.
    type: str
    default: auto
    choices:
      systemd: systemd manages the cgroups of containers.
      cgroupfs: The runtime writes to the cgroup file system itself.
      auto: >-
        V(systemd) with cgroups v2. With cgroups v1, the driver that the running runtime reports, or
        V(cgroupfs) if no runtime can report its driver.
  sandbox_image:
    description:
      - The sandbox (pause) image of pods, such as V(registry.k8s.io/pause:3.10). If not set, the
        default of the runtime is used.
      - With O(runtime=docker), the image applies to O(cri_service). Without O(cri_service), the
        option is ignored with a warning.
    type: str
  image_repository:
    description:
      - Repository of the sandbox image of O(kubernetes_version), such as a mirror of
        C(registry.k8s.io). The default is C(registry.k8s.io).
      - Requires O(kubernetes_version) or O(sandbox_image). If O(sandbox_image) is set, it takes
        precedence.
    type: str
  kubernetes_version:
    description:
      - The Kubernetes version of the node, such as V(1.34.2). A leading C(v) is allowed.
      - If O(sandbox_image) is not set, the sandbox image of this version is used.
      - This version also determines the default of O(cri_service).
    type: str
  cri_service:
    description:
      - With O(runtime=docker), whether cri-dockerd is enabled. The kubelet uses Docker through
        cri-dockerd. It must be installed on the node. Its flags are set in a drop-in of
        C(cri-docker.service).
      - If not set, cri-dockerd is enabled with O(kubernetes_version=1.24.0) or newer.
      - With V(false), cri-dockerd is not changed.
    type: bool
  network_plugin:
    description:
      - The network plugin of pods. If not set, the default of the runtime is used, V(cni).
      - V(kubenet) requires O(cri_service).
    type: str
    choices: [cni, kubenet]
  cni:
    description:
      - Directories of the CNI plugins and their configuration.
      - With O(runtime=docker), requires O(cri_service).
    type: dict
    suboptions:
      bin_dirs:
        description:
          - Directories of the plugin binaries.
          - If not set, containerd before 2.1 uses the directory that holds the plugins. This is the
            first directory of C(/opt/cni/bin), C(/usr/lib/cni) and C(/usr/libexec/cni) that has an
            executable C(loopback). Newer versions of containerd and cri-dockerd use all three
            directories. CRI-O uses C(/opt/cni/bin) and the directory that holds the plugins, unless
            another one of its files sets C(plugin_dirs).
          - containerd before 2.1 supports only one directory. On such a node, the task fails if
            several are set.
        type: list
        elements: str
        default: []
      conf_dir:
        description:
          - Directory of the network configuration. If not set, the default of the runtime is used.
        type: str
  registries:
    description:
      - Registries with mirrors, certificates, credentials or other settings. Registries without
        such settings need no entry.
      - containerd reads changes at the next pull, and is restarted only for credentials. It always
        uses C(/etc/containerd/certs.d), even without entries here. Therefore C(hosts.toml) files of
        other registries stay in effect.
      - CRI-O is reloaded. It is restarted only for the first credentials, or if its log would not
        report the reload. Docker is reloaded, and restarted if an entry was removed.
      - Docker 28 and newer also gets C(hosts.toml) files in C(/etc/docker/certs.d), which it reads
        at the next pull if it keeps its images in containerd. This is the default of Docker 29 on a
        node without data of an older version. Then registries have the same settings as with
        containerd, except credentials and O(registries[].rewrite).
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description:
          - Host of the registry, with the port if image references contain it, such as
            V(docker.io) or V(dev.local:5000).
          - V(_default) or V(*) apply to all registries without an entry. They require
            O(runtime=containerd), or Docker 28 or newer that keeps its images in containerd.
        type: str
        required: true
      rewrite:
        description:
          - Host and path that replace O(registries[].registry) when an image is pulled, such as
            V(hub.local:5000/quay). With this option, O(registries[].registry) can have a path too.
            With O(runtime=crio) only.
          - Certificates and credentials of this entry apply to the host that CRI-O connects to.
        type: str
      mirrors:
        description:
          - Mirrors that are tried in this order before the registry itself.
          - With O(runtime=docker), mirrors of registries other than V(docker.io) require Docker 28
            or newer that keeps its images in containerd.
        type: list
        elements: dict
        default: []
        suboptions:
          url:
            description:
              - URL of the mirror, such as V(https://mirror.local:5000). Connections to an C(http://)
                URL are not encrypted.
              - With O(runtime=containerd), and with Docker 28 or newer that keeps its images in
                containerd, the URL can have a path. With O(runtime=crio), the path must begin with
                C(/v2) and O(registries[].mirrors[].override_path) must be set.
            type: str
            required: true
          capabilities:
            description:
              - Operations that the mirror is used for. V(resolve) returns the current digest of a
                tag. Omit V(resolve) if you do not trust the mirror with that.
              - With O(runtime=crio), a mirror without V(resolve) is used only for references with a
                digest. V(push) requires O(runtime=containerd) or O(runtime=docker).
              - With O(runtime=docker), values other than the default require Docker 28 or newer
                that keeps its images in containerd.
            type: list
            elements: str
            choices: [pull, resolve, push]
            default: [pull, resolve]
          ca_file: &ca_file
            description: Path on the node of the CA certificate for verifying the host.
            type: str
          client_cert_file: &client_cert_file
            description: Path on the node of the client certificate.
            type: str
          client_key_file: &client_key_file
            description: Path on the node of the key of the client certificate.
            type: str
          insecure:
            description: Whether the certificate of the mirror is accepted without verification.
            type: bool
            default: false
          override_path:
            description:
              - Whether the path of O(registries[].mirrors[].url) is the API root of the mirror. The
                runtime then does not append C(/v2).
            type: bool
            default: false
          headers:
            description:
              - HTTP headers, by name, that are sent to the mirror. They require
                O(runtime=containerd), or Docker 28 or newer that keeps its images in containerd.
              - Headers can contain secrets. Therefore diffs hide their values.
            type: dict
            default: {}
      ca_file: *ca_file
      client_cert_file: *client_cert_file
      client_key_file: *client_key_file
      insecure:
        description:
          - Whether the certificate of the registry is accepted without verification. If the
            registry does not support TLS, plain HTTP is used.
        type: bool
        default: false
      username:
        description:
          - User name for pulls without their own credentials. Not supported with O(runtime=docker).
          - Credentials apply to a host. For a mirror with a password, add an entry with the mirror
            as O(registries[].registry).
        type: str
      password:
        description:
          - Password or token of O(registries[].username). It is written to a file that only root
            can read. No diff shows this file.
        type: str
  oci_runtime:
    description:
      - The OCI runtime of containers that do not select one. Set a name from O(oci_runtimes) or
        V(runc). With O(runtime=crio), also V(crun), and V(runc) only if the CRI-O package includes
        it. If not set, the default of the runtime is used.
    type: str
  oci_runtimes:
    description:
      - OCI runtimes in addition to the runtime's own. If a binary does not exist on the node, the
        module returns a warning, or fails if it belongs to O(oci_runtime).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the runtime handler in a RuntimeClass. It must be a DNS label.
        type: str
        required: true
      path:
        description: >-
          Path of the binary of the OCI runtime. With a shim other than that of runc, path of the
          shim's binary.
        type: str
        required: true
      shim:
        description:
          - Type of the shim. If not set, the shim of runc is used, V(io.containerd.runc.v2). It
            supports every OCI runtime with the command line of runc.
          - CRI-O requires a shim binary named C(containerd-shim-NAME-VERSION), such as
            C(containerd-shim-kata-v2). Docker supports shims from 23.0 on.
        type: str
      base_spec:
        description:
          - Keys of the OCI runtime specification, which are merged into the base specification of
            containers with this OCI runtime. A list replaces a list. With O(runtime=containerd)
            only.
          - To change the base specification of runc, add an entry with the name C(runc).
        type: dict
        default: {}
  gpus:
    description: How containers access the GPUs of the node.
    type: str
    default: none
    choices:
      none: The runtime is not configured for GPUs.
      nvidia: >-
        Through the OCI runtime of NVIDIA, C(/usr/bin/nvidia-container-runtime), which must be
        installed. C(nvidia) is added to O(oci_runtimes) if the list has no entry with this name. It
        becomes the O(oci_runtime) unless another OCI runtime is set.
      cdi: >-
        Through CDI devices of any vendor, described by specifications in C(/etc/cdi) and
        C(/var/run/cdi). Requires containerd 1.7 or Docker 25, or newer.
  rootless:
    description:
      - Whether the node, including its systemd, runs inside a user namespace.
      - Requires Linux 5.11 or newer. Before 5.13, the module returns a warning.
    type: bool
    default: false
  proxy:
    description:
      - The HTTP proxy between the runtime and the registries. The URL can contain a password.
        Therefore it is written to a file that only root can read. No diff shows this file.
    type: dict
    suboptions:
      http:
        description: URL of the proxy for plain HTTP, with C(http), C(https) or C(socks5).
        type: str
      https:
        description: URL of the proxy for HTTPS.
        type: str
      no_proxy:
        description: >-
          Hosts, domains and networks that are accessed without the proxy, as a list or separated by
          commas.
        type: list
        elements: str
        default: []
  storage:
    description:
      - Directory and driver of images and containers. If not set, the defaults of the runtime are
        used.
      - If a change hides images or containers from the runtime, the task fails before it changes
        anything, also in check mode. The error lists the hidden data and how to keep the store.
      - Docker's store also depends on the keys C(features.containerd-snapshotter), C(userns-remap)
        and C(containerd-namespace) of its C(daemon.json). The same check applies to changes of
        these keys. If O(storage.root) changes, the check includes the volumes of Docker.
      - A new O(storage.root) that already holds a copy of the old one is accepted.
    type: dict
    suboptions:
      root:
        description: Directory of images and containers, such as V(/srv/containerd).
        type: str
      driver:
        description: >-
          Storage driver, under the name that the runtime uses. For containerd, this is the
          snapshotter.
        type: str
  log_level:
    description: Log level of the runtime. If not set, the default of the runtime is used.
    type: str
    choices: [debug, info, warn, error]
  metrics:
    description: Address on which the runtime serves its metrics, such as V(127.0.0.1:1338).
    type: str
  live_restore:
    description:
      - Whether containers keep running if the runtime restarts. With containerd and CRI-O, they
        always do, so V(false) requires O(runtime=docker). The default of Docker is V(false).
      - With V(true), the task fails on a node that is part of a swarm. There, Docker accepts the
        setting in a reload but does not start with it.
    type: bool
  ulimits:
    description:
      - Default resource limits of containers. Keys are names from setrlimit(2), such as C(nofile).
        Values are dictionaries with C(soft) and C(hard). V(-1) means unlimited.
      - With O(runtime=containerd), they apply to the containers of runc and of O(oci_runtimes).
        OCI runtimes that other tools add in drop-ins keep their limits.
    type: dict
    default: {}
  unprivileged_ports:
    description:
      - Whether processes without root privileges can listen on ports below 1024 in the network of
        their container. V(false) is not supported with O(runtime=docker).
    type: bool
    default: true
  unprivileged_icmp:
    description:
      - Whether processes without root privileges can send ICMP echo requests (ping). V(false) is
        not supported with O(runtime=docker).
      - With O(runtime=crio), this applies to processes whose group ID is below 65536.
    type: bool
    default: true
  service:
    description:
      - Settings of the systemd unit of the runtime, and of C(cri-docker.service) with
        O(cri_service). They are in a drop-in. Without the option, the unit is not changed.
      - A change restarts the runtime.
    type: dict
    suboptions:
      limits:
        description:
          - Resource limits of the process of the runtime, in the form of O(ulimits). Containers can
            inherit them.
        type: dict
        default: {}
      slice:
        description: >-
          The slice of systemd that contains the unit, such as V(kube.slice). RV(kubelet_options)
          has its cgroup.
        type: str
      oom_score_adjust:
        description: >-
          How likely the kernel ends the process if memory is short, from V(-1000), never, to
          V(1000).
        type: int
      environment:
        description:
          - Environment variables of the process. They are in a file that only root can read, and no
            output shows their values. For a proxy, set O(proxy).
        type: dict
        default: {}
  container_logs:
    description:
      - Rotation of container logs. Docker rotates the logs itself. For containerd and CRI-O, the
        kubelet rotates them, so the option only adds C(containerLogMaxSize) and
        C(containerLogMaxFiles) to RV(kubelet_config).
    type: dict
    suboptions:
      max_size:
        description: Maximum size of a log file, such as V(100m). Units are V(k), V(m) and V(g).
        type: str
        required: true
      max_files:
        description: Number of log files that are kept. The kubelet keeps at least 2.
        type: int
  image_pulls:
    description:
      - How the kubelet pulls images. The option changes only RV(kubelet_config).
    type: dict
    suboptions:
      parallel:
        description:
          - Number of images that the kubelet pulls at the same time. V(1) means one after the
            other, which is the default of the kubelet.
          - More than one requires Kubernetes 1.27 or newer.
        type: int
  image_gc:
    description:
      - The use of the disk, in percent, at which the kubelet removes unused images. The option
        changes only RV(kubelet_config). O(pinned_images) are never removed.
    type: dict
    suboptions:
      high_percent:
        description: The kubelet begins to remove images. Its default is 85.
        type: int
      low_percent:
        description: >-
          The kubelet stops to remove images. Its default is 80. It must be less than
          O(image_gc.high_percent).
        type: int
  pinned_images:
    description:
      - Images that are exempt from the garbage collection of the kubelet.
      - Requires containerd 2.0 or newer. Not supported with O(runtime=docker).
    type: list
    elements: str
    default: []
  socket:
    description:
      - Path of the CRI socket. C(crictl) is configured with the same path. If not set, the default
        of the runtime is used.
      - With O(runtime=docker), this is the socket of cri-dockerd and requires O(cri_service).
    type: str
  extra_config:
    description:
      - Additional keys for the configuration file of the runtime. Tables are merged recursively.
        A list replaces a list, with these exceptions. Entries of C(insecure-registries),
        C(exec-opts) and C(labels) of Docker are added to the list, and C(imports) of containerd is
        added to the directories of drop-ins.
      - If a key conflicts with another option, the task fails.
      - The plugin names of containerd differ between 1.x and 2.x.
      - A value whose key looks like the name of a secret, such as C(token), and the user in a URL
        are secrets. They are redacted in diffs and results, and only root can read the file.
    type: dict
    default: {}
  exclusive:
    description:
      - Whether keys of Docker's C(daemon.json) that this collection did not write are removed.
        The other runtimes support drop-ins for such keys.
      - With V(false), these keys are kept, also in tables that the spec sets. C(docs/spec.md) has
        the rule for each list. If C(daemon.json) cannot be parsed, the task fails.
    type: bool
    default: false
  timeout:
    description:
      - Maximum time in seconds for each stop and each start of a unit, and then for the runtime to
        respond. The minimum is 1. A restart is a stop and a start, so it can take twice this time.
        After a timeout, all changes are rolled back. A unit that does not stop is then killed and
        started again.
    type: int
    default: 60
  rendered_files:
    description:
      - Internal. The action plugin on the controller passes the rendered files to the module. The
        task fails if a playbook sets this option.
    type: list
    elements: dict
  rendered_secrets:
    description:
      - Internal, like O(rendered_files). The contents of the rendered files that contain secrets,
        in the order of the files.
    type: list
    elements: str
    default: []
  secrets:
    description:
      - Internal, like O(rendered_files). The secrets of the spec, which are redacted in the result.
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
    details: Shows each file and the units.
  idempotent:
    support: partial
    details: With O(state=restarted), each run restarts the runtime.
seealso:
  - module: cruntime.node.cruntime_info
"""

EXAMPLES = r"""
- name: Run containerd as the only container runtime
  cruntime.node.cruntime_enable:
    runtime: containerd
    cgroup_driver: systemd
    sandbox_image: registry.k8s.io/pause:3.10

- name: Run Docker as the only container runtime
  cruntime.node.cruntime_enable:
    runtime: docker
    cgroup_driver: systemd

- name: Run Docker and cri-dockerd for a kubelet
  cruntime.node.cruntime_enable:
    runtime: docker
    kubernetes_version: 1.34.2
    image_repository: mirror.example.com/k8s
    cri_service: true
    socket: /run/cri-dockerd.sock
    network_plugin: cni
    cni:
      bin_dirs: [/usr/lib/cni]
      conf_dir: /etc/cni/net.d

- name: Configure containerd with a mirror and credentials for registries
  cruntime.node.cruntime_enable:
    runtime: containerd
    registries:
      - registry: docker.io
        mirrors:
          - url: https://mirror.example.com:5000/v2/hub
            capabilities: [pull]
            override_path: true
            headers:
              X-Cluster: production
            ca_file: /etc/ssl/certs/mirror-ca.pem
            client_cert_file: /etc/ssl/certs/node.pem
            client_key_file: /etc/ssl/private/node.key
          - url: https://mirror.example.org
            insecure: true
      - registry: registry.example.com
        ca_file: /etc/ssl/certs/registry-ca.pem
        client_cert_file: /etc/ssl/certs/node.pem
        client_key_file: /etc/ssl/private/node.key
        username: deploy
        password: "{{ registry_password }}"
      - registry: dev.example.com:5000
        insecure: true

- name: Configure CRI-O to pull images of quay.io from another registry
  cruntime.node.cruntime_enable:
    runtime: crio
    registries:
      - registry: quay.io
        rewrite: hub.example.com:5000/quay

- name: Configure containerd with Kata Containers as an additional OCI runtime
  cruntime.node.cruntime_enable:
    runtime: containerd
    oci_runtime: runc
    oci_runtimes:
      - name: kata
        path: /usr/bin/containerd-shim-kata-v2
        shim: io.containerd.kata.v2
    gpus: cdi
    pinned_images: [registry.k8s.io/pause:3.10]
    log_level: warn
    metrics: 127.0.0.1:1338
    storage:
      root: /srv/containerd
      driver: overlayfs

- name: Configure Docker with a proxy, log rotation and resource limits
  cruntime.node.cruntime_enable:
    runtime: docker
    disable_others: false
    live_restore: true
    exclusive: true
    timeout: 120
    proxy:
      http: http://proxy.example.com:3128
      https: http://proxy.example.com:3128
      no_proxy: [10.0.0.0/8, .example.com]
    container_logs:
      max_size: 100m
      max_files: 3
    ulimits:
      nofile: {soft: 1024, hard: 524288}

- name: Set a key of daemon.json that has no option
  cruntime.node.cruntime_enable:
    runtime: docker
    extra_config:
      max-concurrent-downloads: 6

- name: Run containerd on a node inside a user namespace
  cruntime.node.cruntime_enable:
    runtime: containerd
    rootless: true
    unsafe_writes: true

- name: Stop and disable Docker
  cruntime.node.cruntime_enable:
    runtime: docker
    state: disabled

- name: Save the states of the units
  cruntime.node.cruntime_info:
  register: before

- name: Go back to Docker
  cruntime.node.cruntime_enable:
    runtime: docker
    state: restored
    units: "{{ before.units }}"
    running_containers: stop

- name: Remove the files of Docker, and keep its images and containers
  cruntime.node.cruntime_enable:
    runtime: docker
    state: absent
    keep_data: true
"""

RETURN = r"""
runtime:
  description: Name of the runtime that the task manages.
  returned: success
  type: str
  sample: containerd
version:
  description: >-
    Version of the runtime. V(null) if O(state) is V(disabled), V(restored) or V(absent) and the
    version cannot be determined.
  returned: success
  type: str
  sample: 1.7.24
socket_path:
  description: >-
    Path of the CRI socket. For Docker, this is the socket of cri-dockerd, V(null) without
    cri-dockerd.
  returned: success
  type: str
  sample: /run/containerd/containerd.sock
cri_endpoint:
  description: >-
    CRI endpoint, as a URL for the kubelet and crictl. V(null) if RV(socket_path) is V(null).
  returned: success
  type: str
  sample: unix:///run/containerd/containerd.sock
cgroup_driver:
  description: >-
    Cgroup driver of the spec. V(null) if O(state) is V(disabled), V(restored) or V(absent).
  returned: success
  type: str
  sample: systemd
kubelet_options:
  description:
    - Flags, by name, that configure a kubelet for this runtime. With
      O(kubernetes_version=1.27.0) or newer, they are only the settings that RV(kubelet_config)
      cannot contain.
    - With C(runtime-cgroups), the kubelet reports the resources that the runtime uses.
  returned: success
  type: dict
  sample:
    runtime-cgroups: /system.slice/containerd.service
    container-runtime-endpoint: unix:///run/containerd/containerd.sock
kubelet_config:
  description:
    - Fields of the kubelet configuration file for this spec.
    - If the node has cgroups v1, and O(kubernetes_version=1.35.0) or newer, C(failCgroupV1) is
      V(false), because the kubelet does not start otherwise.
    - With O(runtime=docker) and O(kubernetes_version=1.36.0) or newer, the feature gate
      C(ExtendWebSocketsToKubelet) is V(false), because cri-dockerd does not support WebSockets.
    - The options O(container_logs), O(image_pulls) and O(image_gc) add their fields.
  returned: success
  type: dict
  sample:
    cgroupDriver: systemd
    containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
    containerLogMaxSize: 100Mi
    containerLogMaxFiles: 3
files:
  description: Files that the task manages.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file. If the path is a symbolic link, its target.
      type: str
    changed:
      description: Whether the file was changed, or would be changed in check mode.
      type: bool
    diff:
      description: Content before and after a change. Secrets are redacted.
      type: dict
    backup:
      description: Path of the backup, if the replaced file was not written by this collection.
      type: str
  sample:
    - path: /etc/containerd/config.toml
      changed: true
      backup: /var/lib/cruntime/backups/etc_containerd_config.toml.20261123T101500Z
      diff:
        before_header: /etc/containerd/config.toml
        before: "version = 2\n"
        after_header: /etc/containerd/config.toml
        after: "version = 3\n"
    - path: /etc/crictl.yaml
      changed: false
units:
  description: Systemd units that the task changed, or would change in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the unit.
      type: str
    before:
      description: Whether the unit was active, enabled and masked.
      type: dict
    after:
      description: Whether the unit is active, enabled and masked.
      type: dict
    cause:
      description: Reason for the change.
      type: str
  sample:
    - name: containerd.service
      before: {active: true, enabled: true, masked: false}
      after: {active: true, enabled: true, masked: false}
      cause: /etc/containerd/config.toml changed
downtime:
  description:
    - Time in seconds for which no runtime responded. V(0.0) if another runtime was running
      at the same time, or if the runtime was not restarted.
    - V(null) in check mode, and if no runtime was running before the task.
  returned: success with O(state=enabled) or O(state=restarted)
  type: float
  sample: 0.0
removed:
  description:
    - Files and data that the task removed, or would remove in check mode.
    - A namespace in the store of containerd is listed with the number of its objects.
  returned: success with O(state=absent)
  type: list
  elements: str
  sample:
    - /etc/docker/daemon.json
    - /var/lib/docker/overlay2
    - "/var/lib/containerd: namespace moby (4 images, 1 snapshots, 12 blobs)"
configured_runtimes:
  description: Other runtimes that have managed files on the node.
  returned: success with O(state=absent)
  type: list
  elements: str
  sample: [containerd]
dropped:
  description:
    - Settings of replaced files that are lost, because neither the new file nor a drop-in has them.
      If a foreign file is replaced, C(config.toml) of containerd, C(daemon.json) of Docker, the
      flags of C(cri-docker.service) and C(crictl.yaml) are compared.
    - In check mode, settings that would be lost.
  returned: success with O(state=enabled) or O(state=restarted)
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
      description: Path of the file that contained the key.
      type: str
  sample:
    - key: plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata
      value: {runtime_type: io.containerd.kata.v2}
      file: /etc/containerd/config.toml
overridden:
  description:
    - Keys of the configuration file of the runtime that another file or a flag overrides, and
      variables of its service that another file overrides, with the prefix C(environment).
    - If an option sets one of these keys, the task fails, and the list has the keys of options.
      Otherwise, the task warns of the keys that the collection sets by itself.
  returned: >-
    success with O(state=enabled) or O(state=restarted); failure with
    RV(reason=setting_overridden)
  type: list
  elements: dict
  contains:
    key:
      description: Path of the key.
      type: str
    current:
      description: The value in effect. It is redacted if its key looks like the name of a secret.
      type: raw
    desired:
      description: The value in the configuration file of the collection, redacted likewise.
      type: raw
    source:
      description: >-
        V(file), V(flag) or V(environment), depending on what overrides the key. V(null) if it is
        not known.
      type: str
    file:
      description: >-
        Path of the file that overrides the key, with the flag or the variable if there is one. If
        only the unit is known, its name. V(null) if nothing is known.
      type: str
  sample:
    - key: plugins."io.containerd.grpc.v1.cri".sandbox_image
      current: registry.k8s.io/pause:3.6
      desired: registry.k8s.io/pause:3.10
      source: file
      file: /etc/containerd/conf.d/50-admin.toml
unknown:
  description:
    - Keys that the process of the runtime does not report, if a file or a directory that sets them
      is newer than the process. The task warns, but it restarts the runtime only if the file is a
      file of the collection that was written after the start.
  returned: success with O(state=enabled) or O(state=restarted)
  type: list
  elements: dict
  contains:
    key:
      description: Path of the key, or C(registry) for the registries of CRI-O.
      type: str
    current:
      description: V(null), because the value is not known.
      type: raw
    desired:
      description: The value in the configuration file of the collection, redacted if necessary.
      type: raw
    source:
      description: V(file).
      type: str
    file:
      description: Path of the file or the directory that is newer than the process.
      type: str
  sample:
    - key: debug.level
      current: null
      desired: info
      source: file
      file: /etc/containerd/conf.d
pending:
  description:
    - Keys of the configuration file, and variables with the prefix C(environment), whose values the
      process of the runtime does not use yet. The task restarts the runtime, except if the restart
      waits, see RV(restart_pending).
  returned: success with O(state=enabled) or O(state=restarted)
  type: list
  elements: dict
  contains:
    key:
      description: Path of the key.
      type: str
    current:
      description: The value that the process uses, redacted likewise.
      type: raw
    desired:
      description: The value with which the runtime would start, redacted likewise.
      type: raw
  sample:
    - key: plugins."io.containerd.grpc.v1.cri".sandbox_image
      current: registry.k8s.io/pause:3.6
      desired: registry.k8s.io/pause:3.10
containers_at_risk:
  description:
    - Running containers that the task would end or leave without a runtime. With
      O(running_containers=stop) and O(running_containers=ignore), the task does so. With
      O(running_containers=refuse) and O(running_containers=defer), see O(running_containers).
  returned: >-
    success, except with O(state=absent); failure with RV(reason=containers_running)
  type: list
  elements: dict
  contains:
    id:
      description: ID of the container.
      type: str
    name:
      description: Name of the container. The ID, if the container has no name.
      type: str
    namespace:
      description: Namespace of the pod. V(null) without a pod.
      type: str
    pod:
      description: Name of the pod. V(null) without a pod.
      type: str
    runtime:
      description: Runtime of the container.
      type: str
    step:
      description: The step that ends the container or leaves it.
      type: dict
      contains:
        unit:
          description: The systemd unit.
          type: str
        verb:
          description: >-
            V(restart), V(stop), or V(start) if the start of another runtime leaves the container.
          type: str
    outcome:
      description: >-
        V(ended), or V(left) if the container keeps running without the runtime that manages it.
      type: str
  sample:
    - id: 78516536e5d0d6aa6e0ad9b83c72ca4243990487f7e3755012a98feab9b547c4
      name: web
      namespace: null
      pod: null
      runtime: docker
      step: {unit: docker.service, verb: restart}
      outcome: ended
restart_pending:
  description:
    - Units whose restart or stop waits for running containers. Empty if there are none.
  returned: success, except with O(state=absent)
  type: list
  elements: dict
  contains:
    unit:
      description: The systemd unit.
      type: str
    cause:
      description: Why the unit must be restarted or stopped.
      type: str
  sample:
    - unit: docker.service
      cause: /etc/docker/daemon.json is newer than the running process
rolled_back:
  description:
    - On failure, V(true) if all changes of files and units were rolled back, and V(false) if the
      rollback failed. V(false) on success.
  returned: always, except if the task fails before it changes anything
  type: bool
  sample: false
journal:
  description: >-
    Last lines that the units of the runtime logged during the failed run. Secrets are redacted, and
    long lines are cut.
  returned: failure, if the task changed something before it failed
  type: list
  elements: str
  sample:
    - >-
      containerd: failed to get listener for metrics endpoint: listen tcp 192.0.2.1:1338: bind:
      cannot assign requested address
service:
  description: Component that is too old for the spec. A runtime, V(cgroups) or V(kernel).
  returned: when the version of a component is too old
  type: str
  sample: containerd
installed:
  description: Installed version of the component.
  returned: when the version of a component is too old
  type: str
  sample: 1.7.24
required:
  description: Minimum version of the component.
  returned: when the version of a component is too old
  type: str
  sample: 2.0.0
problems:
  description: Problems of the spec, one sentence each. The error message contains all of them.
  returned: when the spec is not valid, or the runtime does not support it
  type: list
  elements: str
  sample: ["metrics must be an address with a port such as 127.0.0.1:1338, not '127.0.0.1'"]
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: unit_not_started
cmd:
  description: Command that failed, as a list of arguments.
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
  description: Last part of the error output of the command. Secrets are redacted.
  returned: when a command fails
  type: str
  sample: Job for containerd.service failed.
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import converge, options
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.redacting_module import (
    RedactingModule,
)
from ansible_collections.cruntime.node.plugins.module_utils.rendered import restore_secrets


def main() -> None:
    module = RedactingModule(
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
            "cruntime_enable: rendered files are missing, because the action plugin did not run. "
            "Use the full module name, cruntime.node.cruntime_enable",
            reason="action_plugin_skipped",
        )
    node = Node.of(module, module.params["timeout"])
    if module.params["state"] == "disabled":
        return converge.disable(node, module.params)
    if module.params["state"] == "restored":
        return converge.restore(node, module.params)
    if module.params["state"] == "absent":
        return converge.remove(node, module.params)
    return converge.enable(node, module.params, restore_secrets(module.params))


if __name__ == "__main__":
    main()
