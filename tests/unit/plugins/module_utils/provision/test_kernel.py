# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules and parameters, in a directory in place of /."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.provision import kernel

MODULES = ["overlay", "nf-conntrack"]
PARAMETERS = {"net.ipv4.ip_forward": 1, "net.ipv4.ip_local_port_range": "1024 65535"}
FILES = {
    "proc/modules": "overlay 159744 1 - Live 0x0000000000000000\n",
    "sys/module/overlay/refcnt": "1\n",
    "sys/module/nf_conntrack/refcnt": "4\n",
    "proc/sys/net/ipv4/ip_forward": "1\n",
    # The kernel separates several values with a tab.
    "proc/sys/net/ipv4/ip_local_port_range": "1024\t65535\n",
    "etc/modules-load.d/50-cruntime.conf": "overlay\nnf-conntrack\n",
    "etc/sysctl.d/50-cruntime.conf": (
        "net.ipv4.ip_forward = 1\nnet.ipv4.ip_local_port_range = 1024 65535\n"
    ),
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    return tmp_path


def compare(root, modules=(), parameters=None):
    return kernel.compare([*MODULES, *modules], parameters or PARAMETERS, f"{root}/")


def test_nothing_is_due(root):
    due, facts = compare(root)
    assert not due
    assert facts["missing_modules"] == facts["differing_parameters"] == []


@pytest.mark.parametrize("name", ["etc/modules-load.d", "etc/sysctl.d"])
@pytest.mark.parametrize("change", ["content", "mode", "missing"])
def test_a_file_that_differs(root, name, change):
    path = root / name / "50-cruntime.conf"
    if change == "content":
        path.write_text(path.read_text() + "# a comment\n")
    elif change == "mode":
        path.chmod(0o600)
    else:
        path.unlink()
    due, facts = compare(root)
    assert due
    assert facts["missing_modules"] == facts["differing_parameters"] == []


def test_a_parameter_that_differs(root):
    (root / "proc/sys/net/ipv4/ip_local_port_range").write_text("32768\t60999\n")
    due, facts = compare(root)
    assert due
    assert facts["differing_parameters"] == ["net.ipv4.ip_local_port_range"]


def test_a_parameter_that_does_not_exist(root):
    facts = compare(root, parameters={"net.ipv4.no_such": 1})[1]
    assert facts["differing_parameters"] == ["net.ipv4.no_such"]


@pytest.mark.parametrize(
    ("parameter", "path"),
    [
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("kernel/ostype", "kernel/ostype"),
    ],
)
def test_separators_of_a_parameter(root, parameter, path):
    file = root / "proc/sys" / path
    file.parent.mkdir(parents=True)
    file.write_text("1\n")
    assert compare(root, parameters={parameter: 1})[1]["differing_parameters"] == []


def test_a_module_that_is_not_loaded(root):
    facts = compare(root, ["br_netfilter"])[1]
    assert facts["missing_modules"] == ["br_netfilter"]
    built_in = root / "lib/modules" / os.uname().release / "modules.builtin"
    built_in.parent.mkdir(parents=True)
    built_in.write_text("kernel/net/bridge/br_netfilter.ko\n")
    assert compare(root, ["br-netfilter"])[1]["missing_modules"] == []


def test_a_kernel_without_loadable_modules(root):
    (root / "proc/modules").unlink()
    assert compare(root, ["br_netfilter"])[1]["missing_modules"] == []


def test_a_real_parameter_is_read():
    # The kernel refuses large reads.
    value = pathlib.Path("/proc/sys/kernel/ostype").read_text().strip()
    facts = kernel.compare([], {"kernel.ostype": value})[1]
    assert facts["differing_parameters"] == []
