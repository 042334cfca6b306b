# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison about a runtime, from its three configurations."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.effective import (
    base,
    compare,
    comparison,
)
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import Containerd
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

PATH = "/etc/containerd/config.toml"
DESIRED = {"debug": {"level": "info"}, "plugins": {"cri": {"auth": {"password": "pw"}}}}
UNASKED = ("debug", "level")


class Told(base.Effective):
    """Effective configuration that a test gives. A real runtime is asked in the tests on nodes."""

    config_flag = ("config", "c")

    def __init__(self, filed, running, source=""):
        super().__init__(Runner(), Containerd(Runner()))
        self.filed, self.running, self.source = filed, running, source

    def read_filed(self, start, path):
        return compare.flatten(self.filed)

    def read_running(self, argv):
        return compare.flatten(self.running)

    def parse_desired(self, content, filed):
        return DESIRED

    def find_source(self, difference, start):
        return self.source


def told(level="info", password="pw", running="info", source="/etc/x.toml"):
    filed = {"debug": {"level": level}, "plugins": {"cri": {"auth": {"password": password}}}}
    return Told(filed, {"debug": {"level": running}}, source)


def change(*unasked):
    return Change(PATH, PATH, b"", True, b"", 0, unasked=unasked)


def unit(*argv, pid=1):
    state = "active" if pid else "inactive"
    return Unit("containerd.service", "loaded", state, pid=pid, command=("containerd", *argv))


def decide(effective, *unasked, of=None):
    return comparison.compare_runtime(
        effective, Containerd(Runner()), change(*unasked), of or unit()
    )


def test_a_node_that_matches_its_file():
    assert decide(told()) == comparison.Comparison("containerd")


def test_an_overridden_option_is_an_error():
    with fails("setting_overridden", "/etc/x.toml", "debug.level is 'warn'", "'info'") as caught:
        decide(told(level="warn"))
    entry = {"key": "debug.level", "current": "warn", "desired": "info", "file": "/etc/x.toml"}
    assert caught.value.facts["overridden"] == [entry]


def test_an_overridden_secret_is_not_shown():
    with fails("setting_overridden", "password", "(not shown)") as caught:
        decide(told(password="hunter2"))
    assert "hunter2" not in str(caught.value.result)
    assert "pw" not in str(caught.value.facts)


def test_an_overridden_key_that_no_option_sets_is_a_warning():
    found = decide(told(level="warn", running="warn"), UNASKED)
    assert found.cause == ""
    (warning,) = found.warnings
    assert warning.startswith("/etc/x.toml: setting overridden: debug.level is 'warn', but")
    assert [each.result["key"] for each in found.overridden] == ["debug.level"]


def test_a_value_that_the_process_does_not_use_yet_is_a_pending_restart():
    found = decide(told(running="debug"))
    assert found.cause == "containerd still uses debug.level='debug'"
    assert [comparison.show(each)["key"] for each in found.pending] == ["debug.level"]
    # Nothing is asked if there is no process.
    assert decide(told(running="debug"), of=unit(pid=0)) == comparison.Comparison("containerd")


@pytest.mark.parametrize("flag", [["--config", "/opt/c.toml"], ["-c", "/x"], ["--config=/opt/c"]])
def test_another_configuration_file_is_an_error(flag):
    fix = "ExecStart=containerd --root /x"
    with fails("setting_overridden", "containerd.service", fix):
        decide(told(), of=unit("--root", "/x", *flag))


def test_the_same_configuration_file_in_a_flag(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(PATH)
    assert decide(told(), of=unit("--config", str(link))) == comparison.Comparison("containerd")


def test_a_started_process_must_use_the_values_of_the_spec():
    effective, runtime = told(running="debug"), Containerd(Runner())
    with fails("setting_overridden", "debug.level is 'debug'", "'info'", runtime.overrides):
        comparison.check_running(effective, runtime, change(), unit())
    comparison.check_running(effective, runtime, change(UNASKED), unit())
    comparison.check_running(told(), runtime, change(), unit())


def test_the_file_of_a_flag(tmp_path):
    main, drop_in, settings = (tmp_path / name for name in ("x.service", "x.conf", "default"))
    main.write_text("ExecStart=/usr/bin/dockerd --log-level debug --data-root=/x\n")
    drop_in.write_text("ExecStart=/usr/bin/dockerd --log-level-format=x $OPTS\n")
    settings.write_text("OPTS=-s overlay2\n")
    about = unit()._replace(
        path=str(main), drop_ins=(str(drop_in),), environment_files=(str(settings), "/missing")
    )
    assert base.find_flag_file(about, ("log-level", "l")) == f"{main} (flag --log-level)"
    assert (
        base.find_flag_file(about, ("storage-driver", "s")) == f"{settings} (flag --storage-driver)"
    )
    assert base.find_flag_file(about, ("x",)) == "flag --x of containerd.service"
