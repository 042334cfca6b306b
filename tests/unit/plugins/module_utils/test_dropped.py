# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lost settings of a replaced file are found, and secrets are redacted."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import dropped, takeover
from ansible_collections.cruntime.node.plugins.module_utils.checks import (
    cri_dockerd,
)
from ansible_collections.cruntime.node.plugins.module_utils.checks.catalog import checks_of
from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes import (
    catalog,
)

DEFAULT = {"level": "", "score": 0, "limit": 3, "dirs": ["/a"], "debug": True, "runtimes": {}}


@pytest.mark.parametrize(
    ("old", "new", "decided", "found"),
    [
        ({}, {}, {}, {}),
        # The value was the default, or is still in effect.
        ({"limit": 3}, {"limit": 3}, {}, {}),
        ({"limit": 4}, {"limit": 4}, {}, {}),
        # An option, or extra_config, sets the key now.
        ({"limit": 4}, {"limit": 5}, {"limit": 5}, {}),
        ({"limit": 4}, {"limit": 3}, {"limit": 3}, {}),
        # The new file replaces the value although no option sets the key.
        ({"limit": 4}, {"limit": 5}, {}, {("limit",): 4}),
        ({"limit": 4}, {"limit": 3}, {}, {("limit",): 4}),
        ({"debug": False}, {"debug": True}, {}, {("debug",): False}),
        # Zero values mean unset keys, which are not lost.
        ({"level": ""}, {}, {}, {}),
        ({"other": 0, "another": {"x": ""}}, {}, {}, {}),
        ({"dirs": ["/a", "/b"]}, {"dirs": ["/a"]}, {}, {("dirs",): ["/b"]}),
        ({"dirs": ["/b", "/a"]}, {"dirs": ["/a", "/b", "/c"]}, {}, {}),
        ({"dirs": ["/b"]}, {}, {}, {("dirs",): ["/b"]}),
        # A whole table is lost, or a key of a remaining table.
        (
            {"runtimes": {"kata": {"type": "x", "path": "", "options": {}}}},
            {"runtimes": {"runc": {"type": "y"}}},
            {},
            {("runtimes", "kata"): {"type": "x"}},
        ),
        (
            {"runtimes": {"runc": {"type": "y", "options": {"Root": "/x"}}}},
            {"runtimes": {"runc": {"type": "y", "options": {}}}},
            {"runtimes": {"runc": {"type": "y"}}},
            {("runtimes", "runc", "options", "Root"): "/x"},
        ),
    ],
)
def test_lost_settings(old, new, decided, found):
    assert dropped.find_dropped(old, new, DEFAULT, decided) == found


def test_a_path_is_removed_from_a_tree():
    tree = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert dropped.without(tree, [("a", "c", "d"), ("e",), ("x", "y")]) == {"a": {"b": 1, "c": {}}}
    assert tree["e"] == 3


def test_secrets_are_redacted():
    settings = {
        ("registry", "headers", "X-Site"): ["hunter2"],
        ("registry", "configs", "a.test"): {"auth": {"password": "hunter2"}},
        ("proxy",): "http://user:hunter2@proxy.test",
        ("plugins", "io.x", "address"): "/run/x.sock",
    }
    found = dropped.describe(settings, "/etc/x.toml", "Fix it")
    assert "hunter2" not in json.dumps([entry.result for entry in found])
    assert found[-1].result == {
        "key": 'plugins."io.x".address',
        "value": "/run/x.sock",
        "file": "/etc/x.toml",
    }
    assert dropped.warn(found[2:]) == [
        "/etc/x.toml: Settings of this file are lost when it is replaced: "
        'proxy, plugins."io.x".address. Fix it'
    ]


def change(path, before, after=b"new"):
    return Change(path, path, after, True, before, None)


class Containerd(Runner):
    """Containerd with the given output."""

    def __init__(self, dumps):
        super().__init__()
        self.dumps = dumps

    def run(self, *argv, **_options):
        text = self.dumps[argv[-1] if argv[-1] == "default" else argv[2]]
        if text is None:
            raise CommandError("it can't be read", reason="command_failed")
        return Result(0, text, "")


@pytest.fixture
def inspect(tmp_path):
    """Return a function that replaces a config.toml, and returns the lost settings."""

    def run(old, new, options=None, owned=False):
        path = "/etc/containerd/config.toml"
        staged = tmp_path / "staged.toml"
        staged.write_text(new)
        default = 'imports = []\nversion = 2\ndisabled_plugins = []\n[plugins."x"]\nlimit = 3\n'
        runner = Containerd({path: old, str(staged): new, "default": default})
        runtime = catalog.runtimes(runner)["containerd"].configured(options or {})
        changes = [change(path, b"old")._replace(owned=owned)]
        return takeover.inspect(checks_of(runner, runtime), changes, {path: str(staged)})

    return run


NEW = 'version = 2\nimports = ["/a/*.toml"]\n'
BIN_DIR = '[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "{}"\n'


def test_lost_settings_of_a_config_toml(inspect):
    old = (
        'version = 2\nimports = ["/etc/containerd/config.toml", "/a/*.toml", "/b/*.toml"]\n'
        'disabled_plugins = ["cri", "io.containerd.internal.v1.opt"]\n[plugins.x]\nlimit = 4\n'
    )
    found = inspect(old, NEW)
    assert {entry.key: entry.value for entry in found.dropped} == {
        "imports": ["/b/*.toml"],
        "disabled_plugins": ["io.containerd.internal.v1.opt"],
        "plugins.x.limit": 4,
    }
    assert len(found.warnings) == 1


def test_a_bin_dir_is_lost_if_no_option_sets_it(inspect):
    old, new = (NEW + BIN_DIR.format(path) for path in ("/x", "/opt/cni/bin"))
    assert [entry.value for entry in inspect(old, new).dropped] == ["/x"]
    options = {"cni": {"bin_dirs": ["/opt/cni/bin"]}}
    assert inspect(old, new, options) == takeover.NOTHING


@pytest.mark.parametrize("old", [None, "garbage"])
def test_a_config_toml_that_cannot_be_compared_is_reported(inspect, old):
    found = inspect(old, NEW)
    assert found.dropped == []
    (warning,) = found.warnings
    assert "config.toml are replaced: " in warning


def test_managed_files_lose_nothing(inspect):
    assert inspect(None, NEW, owned=True) == takeover.NOTHING


@pytest.mark.parametrize(("timeout", "lost"), [("10", {"timeout": "10"}), ("30", {})])
def test_lost_settings_of_a_crictl_yaml(timeout, lost):
    before = (
        f'runtime-endpoint: "unix:///x"\ntimeout: {timeout}\ndebug: false\n# pull: x\n'
        'pull-image: "true"\n'
    ).encode()
    after = b"runtime-endpoint: unix:///y\nimage-endpoint: unix:///y\ntimeout: 30\n"
    changes = [change("/etc/crictl.yaml", before, after)]
    runtime = catalog.runtimes(Runner())["crio"]
    found = takeover.inspect(checks_of(Runner(), runtime), changes, {})
    assert {entry.key: entry.value for entry in found.dropped} == {
        **lost,
        "pull-image": "true",
    }


UNIT = """
[Service]
ExecStart=/usr/bin/cri-dockerd --container-runtime-endpoint fd:// --ipv6-dual-stack \\
    --cri-dockerd-root-directory=/srv "--network-plugin=cni"
"""
OURS = """
[Service]
ExecStart=
ExecStart=cri-dockerd \\
    "--network-plugin=cni" \\
    --container-runtime-endpoint=fd://
"""


@pytest.mark.parametrize(
    ("drop_ins", "lost", "file"),
    [
        ({}, {"ipv6-dual-stack": "", "cri-dockerd-root-directory": "/srv"}, "cri-docker.service"),
        (
            {"10-admin.conf": "[Service]\nExecStart=\nExecStart=cri-dockerd --hairpin-mode none"},
            {"hairpin-mode": "none"},
            "10-admin.conf",
        ),
        # This drop-in is read later, so it still sets the command.
        ({"zz.conf": "[Service]\nExecStart=\nExecStart=cri-dockerd --ipv6-dual-stack"}, {}, ""),
        ({"zz.conf": "[Service]\nEnvironment=X=1"}, None, "cri-docker.service"),
    ],
)
def test_lost_flags_of_cri_dockerd(monkeypatch, tmp_path, drop_ins, lost, file):
    unit = tmp_path / "cri-docker.service"
    unit.write_text(UNIT)
    paths = [str(unit)]
    for name, text in drop_ins.items():
        (tmp_path / name).write_text(text)
        paths.append(str(tmp_path / name))
    staged = tmp_path / "staged"
    staged.write_text(OURS)
    monkeypatch.setattr(cri_dockerd.services, "unit_files", lambda name: paths)
    found = cri_dockerd.find_dropped(str(staged))
    if lost is None:
        lost = {"ipv6-dual-stack": "", "cri-dockerd-root-directory": "/srv"}
    assert {entry.key: entry.value for entry in found} == lost
    assert {entry.file.rpartition("/")[2] for entry in found} <= {file}


def test_the_unit_file_of_an_admin_replaces_the_packaged_one(monkeypatch, tmp_path):
    packaged, admins = tmp_path / "usr" / "cri-docker.service", tmp_path / "cri-docker.service"
    packaged.parent.mkdir()
    packaged.write_text(UNIT)
    admins.write_text("[Service]\nExecStart=/opt/cri-dockerd --hairpin-mode=none")
    staged = tmp_path / "staged"
    staged.write_text(OURS)
    monkeypatch.setattr(cri_dockerd.services, "unit_files", lambda name: [str(packaged)])
    monkeypatch.setattr(cri_dockerd, "_ADMINS_UNIT", str(admins))
    (found,) = cri_dockerd.find_dropped(str(staged))
    assert found.result == {"key": "hairpin-mode", "value": "none", "file": str(admins)}


def test_lost_settings_of_a_daemon_json_that_is_replaced_as_a_whole():
    before = b'{"dns": ["192.0.2.1"], "features": {"cdi": true}, "log-opts": {"max-file": "9"}}'
    after = b'{"features": {"cdi": true}, "exec-opts": ["native.cgroupdriver=systemd"]}'
    changes = [change("/etc/docker/daemon.json", before, after)]
    checks = checks_of(Runner(), catalog.runtimes(Runner())["docker"])
    found = takeover.inspect(checks, changes, {})
    assert {entry.key: entry.value for entry in found.dropped} == {
        "dns": ["192.0.2.1"],
        "log-opts.max-file": "9",
    }
    (warning,) = found.warnings
    assert "Settings of this file are lost when it is replaced: dns, log-opts.max-file" in warning
