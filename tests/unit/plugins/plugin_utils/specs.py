# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Specs as in a playbook, and the files that are rendered from them, parsed again."""

from __future__ import annotations

import json

import tomlkit
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cruntime.node.plugins.module_utils import options
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES
from ansible_collections.cruntime.node.plugins.module_utils.rendered import complete
from ansible_collections.cruntime.node.plugins.plugin_utils import render, spec

CRI_V2 = "io.containerd.grpc.v1.cri"
CRI_V3 = "io.containerd.cri.v1.runtime"
IMAGES_V3 = "io.containerd.cri.v1.images"
PAUSE = "registry.k8s.io/pause:3.10"

CONTAINERD_CONFIG = "/etc/containerd/config.toml"
CRIO_CONFIG = "/etc/crio/crio.conf.d/50-cruntime.conf"
DOCKER_CONFIG = "/etc/docker/daemon.json"


def checked(**values):
    """Return a spec after the steps of the action plugin: types and defaults, then the checks."""
    given = {"runtime": "containerd", "cgroup_driver": "systemd", **values}
    validation = ArgumentSpecValidator(options.ENABLE).validate(given)
    assert not validation.errors.errors, [error.msg for error in validation.errors.errors]
    parameters = validation.validated_parameters
    render.check(parameters, spec.find_problems(parameters))
    return json.loads(json.dumps(parameters))


def version_range(config_version, cni_bin_dirs=True, cdi=True):
    """Return the range of versions of containerd with these features."""
    if config_version == 2:
        return "1.7.0" if cdi else "1.6.0"
    return "2.1.0" if cni_bin_dirs else "2.0.0"


def files(when=None, runtime="containerd", **values):
    """Return the files for this kind of node by path. The default is the newest kind."""
    versions = RUNTIMES[runtime].versions
    facts = {"version_range": versions[-1], "cgroup_driver": "systemd", "own_conmon": False}
    facts |= {"cni_bin_dir": None, "containerd_store": True, "oci_spec": "{}", **(when or {})}
    values["runtime"] = runtime
    chosen = [
        complete(file, facts) if "content" in file else file
        for file in render.render(checked(**values))
        if any(when.items() <= facts.items() for when in file["when"])
    ]
    by_path = {file["path"]: file for file in chosen}
    assert len(by_path) == len(chosen)
    return by_path


def containerd_file(
    config_version, driver="systemd", cni_bin_dirs=True, cdi=True, cni_bin_dir=None, **values
):
    when = {
        "version_range": version_range(config_version, cni_bin_dirs, cdi),
        "cgroup_driver": driver,
        "cni_bin_dir": cni_bin_dir,
    }
    return files(when, runtime="containerd", **values)[CONTAINERD_CONFIG]


def toml(config_version, driver="systemd", cni_bin_dirs=True, **values):
    file = containerd_file(config_version, driver, cni_bin_dirs, **values)
    assert "refusals" not in file
    return tomlkit.parse(file["content"]).unwrap()


def crio(driver="systemd", own_conmon=False, cni_bin_dir=None, **values):
    when = {"cgroup_driver": driver, "own_conmon": own_conmon, "cni_bin_dir": cni_bin_dir}
    file = files(when, runtime="crio", **values)[CRIO_CONFIG]
    return tomlkit.parse(file["content"]).unwrap()["crio"]


def daemon_json(driver="systemd", **values):
    when = {"cgroup_driver": driver}
    file = files(when, runtime="docker", **values)[DOCKER_CONFIG]
    return json.loads(file["content"])


def hosts_toml(registry, config_version=3, **values):
    when = {"version_range": version_range(config_version)}
    file = files(when, runtime="containerd", **values)[
        f"/etc/containerd/certs.d/{registry}/hosts.toml"
    ]
    assert file["restart"] is False
    return tomlkit.parse(file["content"]).unwrap()


def docker_hosts_toml(registry, **values):
    file = files(runtime="docker", **values)[f"/etc/docker/certs.d/{registry}/hosts.toml"]
    assert file["restart"] is False
    return tomlkit.parse(file["content"]).unwrap()


def registries_conf(**values):
    file = files(runtime="crio", **values)["/etc/containers/registries.conf.d/50-cruntime.conf"]
    assert file["restart"] is True
    return tomlkit.parse(file["content"]).unwrap()["registry"]


def links(**values):
    return {path: file["link"] for path, file in files(**values).items() if "link" in file}
