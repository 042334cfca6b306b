# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of cruntime_enable. The controller validates them, and the node reads them."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES

# TLS options of a registry or a mirror. The files are paths on the node.
_TLS = {
    "ca_file": {"type": "str"},
    "client_cert_file": {"type": "str"},
    "client_key_file": {"type": "str", "no_log": False},
    "insecure": {"type": "bool", "default": False},
}

#: The spec, as a playbook writes it.
ENABLE = {
    "runtime": {"type": "str", "required": True, "choices": list(RUNTIMES)},
    "state": {
        "type": "str",
        "default": "enabled",
        "choices": ["enabled", "disabled", "restarted", "restored", "absent"],
    },
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "active": {"type": "bool", "required": True},
            "enabled": {"type": "bool", "required": True},
            "masked": {"type": "bool", "required": True},
        },
    },
    "keep_data": {"type": "bool", "default": False},
    "disable_others": {"type": "bool", "default": True},
    "running_containers": {
        "type": "str",
        "default": "refuse",
        "choices": ["refuse", "stop", "ignore", "defer"],
    },
    "unsafe_writes": {"type": "bool", "default": False},
    "cgroup_driver": {
        "type": "str",
        "default": "auto",
        "choices": ["systemd", "cgroupfs", "auto"],
    },
    "sandbox_image": {"type": "str"},
    "image_repository": {"type": "str"},
    "kubernetes_version": {"type": "str"},
    "cri_service": {"type": "bool"},
    "network_plugin": {"type": "str", "choices": ["cni", "kubenet"]},
    "cni": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "bin_dirs": {"type": "list", "elements": "str", "default": []},
            "conf_dir": {"type": "str"},
        },
    },
    "registries": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "registry": {"type": "str", "required": True},
            "mirrors": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "url": {"type": "str", "required": True},
                    "capabilities": {
                        "type": "list",
                        "elements": "str",
                        "choices": ["pull", "resolve", "push"],
                        "default": ["pull", "resolve"],
                    },
                    **_TLS,
                    "override_path": {"type": "bool", "default": False},
                    # A header can contain a token.
                    "headers": {"type": "dict", "default": {}, "no_log": True},
                },
            },
            **_TLS,
            "rewrite": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
        },
    },
    "oci_runtime": {"type": "str"},
    "oci_runtimes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "shim": {"type": "str"},
            "base_spec": {"type": "dict", "default": {}},
        },
    },
    "gpus": {"type": "str", "default": "none", "choices": ["none", "nvidia", "cdi"]},
    "rootless": {"type": "bool", "default": False},
    "proxy": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            # The URL of a proxy can contain a password.
            "http": {"type": "str", "no_log": True},
            "https": {"type": "str", "no_log": True},
            "no_proxy": {"type": "list", "elements": "str", "default": []},
        },
    },
    "storage": {
        "type": "dict",
        "apply_defaults": True,
        "options": {"root": {"type": "str"}, "driver": {"type": "str"}},
    },
    "log_level": {"type": "str", "choices": ["debug", "info", "warn", "error"]},
    "metrics": {"type": "str"},
    "live_restore": {"type": "bool"},
    "ulimits": {"type": "dict", "default": {}},
    "unprivileged_ports": {"type": "bool", "default": True},
    "unprivileged_icmp": {"type": "bool", "default": True},
    "service": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "limits": {"type": "dict", "default": {}},
            "slice": {"type": "str"},
            "oom_score_adjust": {"type": "int"},
            # A variable can contain a token.
            "environment": {"type": "dict", "default": {}, "no_log": True},
        },
    },
    "container_logs": {
        "type": "dict",
        "options": {
            "max_size": {"type": "str", "required": True},
            "max_files": {"type": "int"},
        },
    },
    "image_pulls": {
        "type": "dict",
        "apply_defaults": True,
        "options": {"parallel": {"type": "int"}},
    },
    "image_gc": {
        "type": "dict",
        "apply_defaults": True,
        "options": {"high_percent": {"type": "int"}, "low_percent": {"type": "int"}},
    },
    "pinned_images": {"type": "list", "elements": "str", "default": []},
    "socket": {"type": "str"},
    "extra_config": {"type": "dict", "default": {}},
    "exclusive": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 60},
}

#: Options that the action plugin adds: the rendered files (see plugin_utils/render.py), the
#: contents of the files that contain secrets, in the order of the files, and the secrets of the
#: spec. Ansible logs neither of the last two, and redacts them in every result.
RENDERED = {
    "rendered_files": {"type": "list", "elements": "dict"},
    "rendered_secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
}

#: Options that only the controller needs, with free text. The node does not get them.
ON_CONTROLLER = ("extra_config", "proxy", "service")

#: Options that a comparison of a node with a spec needs. None of them contains a secret.
COMPARED = (
    *("runtime", "state", "cgroup_driver", "cni", "container_logs", "cri_service"),
    *("disable_others", "gpus", "image_gc", "image_pulls", "kubernetes_version", "oci_runtime"),
    *("oci_runtimes", "rootless", "running_containers", "sandbox_image", "socket", "timeout"),
)
